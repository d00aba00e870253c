use super::*;
use crate::inputs::testing::{Random, Tools, clang, llvm};

const LONG: &str = "a_member_with_a_long_name.o";

/// `short.o` defines `one` and `two`, the long one `three`, `weak` and `common`.
fn objects(flags: &[&str]) -> Tools {
    let tools = Tools::new();
    tools.compile("short", "int one(void) { return 1; } int two = 2; static int local;", flags);
    let source =
        "int three; __attribute__((weak)) int four(void) { return 4; } extern int gone; int *p = &gone;";
    tools.compile("a_member_with_a_long_name", source, flags);
    tools
}

fn archive_names(archive: &Archive<'_>) -> Vec<String> {
    archive.members().map(|member| String::from_utf8_lossy(member.unwrap().name()).into_owned()).collect()
}

/// Each name of the table, with the name of the member it refers to.
fn index(archive: &Archive<'_>) -> Vec<(String, String)> {
    let symbols = archive.symbols().unwrap().expect("a symbol table");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut pairs: Vec<_> = symbols
        .map(|symbol| symbol.unwrap())
        .map(|(name, offset)| (text(name), text(archive.member(offset).unwrap().name())))
        .collect();
    pairs.sort();
    pairs
}

fn expected_index(prefix: &str) -> Vec<(String, String)> {
    let pairs = [("four", LONG), ("one", "short.o"), ("p", LONG), ("three", LONG), ("two", "short.o")];
    pairs.map(|(name, member)| (format!("{prefix}{name}"), member.to_owned())).to_vec()
}

fn check_contents(tools: &Tools, archive: &Archive<'_>) {
    assert_eq!(archive_names(archive), ["short.o", LONG]);
    for member in archive.members() {
        let member = member.unwrap();
        let name = String::from_utf8_lossy(member.name()).into_owned();
        let bytes = member.bytes().unwrap();
        let expected = tools.read(&name);
        assert!(bytes.starts_with(&expected), "{name}");
        assert!(bytes.len() - expected.len() < 8, "Darwin pads members to eight bytes");
        assert!(member.is_linkable(bytes).unwrap());
    }
}

#[test]
fn every_format_of_llvm_ar_is_read() {
    for (format, target, prefix) in [
        ("gnu", "--target=x86_64-linux-gnu", ""),
        ("bsd", "--target=x86_64-linux-gnu", ""),
        ("darwin", "--target=arm64-apple-macos13", "_"),
        ("coff", "--target=x86_64-linux-gnu", ""),
    ] {
        let tools = objects(&[target]);
        tools.run(&llvm("llvm-ar"), &["rcs", &format!("--format={format}"), "x.a", "short.o", LONG]);
        let file = InputFile::open(tools.path("x.a")).unwrap();
        let archive = Archive::parse(&file).unwrap();
        assert!(!archive.is_thin());
        assert_eq!(index(&archive), expected_index(prefix), "{format}");
        check_contents(&tools, &archive);
    }
}

#[test]
fn archives_of_gnu_ar_are_read() {
    let tools = objects(&[]);
    tools.run("ar", &["rcs", "x.a", "short.o", LONG]);
    let file = InputFile::open(tools.path("x.a")).unwrap();
    let archive = Archive::parse(&file).unwrap();
    assert_eq!(index(&archive), expected_index(""));
    check_contents(&tools, &archive);
    let member = archive.members().next().unwrap().unwrap();
    assert_eq!(&*member.display_name(), format!("{}(short.o)", tools.path("x.a").display()));
}

#[test]
fn without_a_symbol_table_members_are_asked() {
    for (target, prefix) in [("--target=x86_64-linux-gnu", ""), ("--target=x86_64-apple-macos13", "_")] {
        let tools = objects(&[target]);
        tools.run(&llvm("llvm-ar"), &["rcS", "x.a", "short.o", LONG]);
        let file = InputFile::open(tools.path("x.a")).unwrap();
        let archive = Archive::parse(&file).unwrap();
        assert!(archive.symbols().unwrap().is_none());
        let mut pairs = Vec::new();
        for member in archive.members() {
            let member = member.unwrap();
            let name = String::from_utf8_lossy(member.name()).into_owned();
            let place = Place::file(member.display_name());
            let mut each =
                |symbol: &[u8]| pairs.push((String::from_utf8_lossy(symbol).into_owned(), name.clone()));
            defined_symbols(&place, member.bytes().unwrap(), &mut each).unwrap();
        }
        pairs.sort();
        assert_eq!(pairs, expected_index(prefix));
    }
}

#[test]
fn thin_members_are_files_beside_the_archive() {
    for ar in [llvm("llvm-ar"), "ar".to_owned()] {
        let tools = objects(&[]);
        tools.write("sub/deep.o", tools.read("short.o"));
        let flag = if ar == "ar" { "rcsT" } else { "rcs" };
        let thin: &[&str] = if ar == "ar" { &[] } else { &["--thin"] };
        tools.run(&ar, &[&[flag], thin, &["x.a", "sub/deep.o", LONG]].concat());
        let file = InputFile::open(tools.path("x.a")).unwrap();
        let archive = Archive::parse(&file).unwrap();
        assert!(archive.is_thin());
        assert_eq!(archive_names(&archive), ["sub/deep.o", LONG]);
        let member = archive.members().next().unwrap().unwrap();
        assert_eq!(member.bytes(), None);
        assert_eq!(member.external_path(), Some(tools.path("sub/deep.o").as_path()));
        let opened = member.open().unwrap().unwrap();
        assert_eq!(opened.bytes(), tools.read("short.o"));
        assert!(opened.name().ends_with("x.a(sub/deep.o)"));
        std::fs::remove_file(tools.path("sub/deep.o")).unwrap();
        let error = member.open().unwrap_err().to_string();
        assert!(error.contains("x.a(sub/deep.o): ") && error.contains("No such file"), "{error}");
    }
}

#[test]
fn a_thin_archive_can_name_members_of_another_archive() {
    let tools = objects(&[]);
    tools.run("ar", &["rcs", "inner.a", "short.o", LONG]);
    tools.run("ar", &["rcsT", "thin.a", "inner.a"]);
    let file = InputFile::open(tools.path("thin.a")).unwrap();
    let archive = Archive::parse(&file).unwrap();
    let opened: Vec<_> = archive.members().map(|member| member.unwrap().open().unwrap().unwrap()).collect();
    assert_eq!(opened.len(), 2);
    assert_eq!(opened[0].bytes(), tools.read("short.o"));
    assert_eq!(opened[1].bytes(), tools.read(LONG));
    assert!(
        opened[1].name().ends_with("thin.a(inner.a)(a_member_with_a_long_name.o)"),
        "{}",
        opened[1].name()
    );
    assert_eq!(index(&archive).len(), 5);
}

/// A symbol table as `/SYM64/` has it, which tools write only for archives beyond 4 GiB.
fn with_64_bit_table(object: &[u8]) -> Vec<u8> {
    let table = [&1u64.to_be_bytes()[..], &(8 + 60 + 20u64).to_be_bytes(), b"one\0"].concat();
    let header =
        |name: &str, size: usize| format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
    let mut bytes = b"!<arch>\n".to_vec();
    bytes.extend_from_slice(header("/SYM64/", table.len()).as_bytes());
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(header("short.o/", object.len()).as_bytes());
    bytes.extend_from_slice(object);
    bytes
}

#[test]
fn symbol_tables_of_64_bits_are_read() {
    let object = objects(&[]).read("short.o");
    let gnu = with_64_bit_table(&object);
    let archive = Archive::from_bytes("x.a".into(), Path::new(""), &gnu).unwrap();
    assert_eq!(index(&archive), [("one".to_owned(), "short.o".to_owned())]);

    let tools = objects(&["--target=arm64-apple-macos13"]);
    tools.run(&llvm("llvm-ar"), &["rcs", "--format=darwin", "x.a", "short.o"]);
    let mut darwin = tools.read("x.a");
    let at = darwin.windows(9).position(|window| window == b"__.SYMDEF").unwrap();
    let entries = u32::from_le_bytes(darwin[at + 12..at + 16].try_into().unwrap());
    assert_eq!(entries, 16, "two symbols of eight bytes each");
    widen_darwin_table(&mut darwin, at);
    let archive = Archive::from_bytes("x.a".into(), Path::new(""), &darwin).unwrap();
    let found: Vec<_> = index(&archive);
    assert_eq!(found, [("_one".into(), "short.o".into()), ("_two".into(), "short.o".into())]);
}

/// Rewrites the table of 32-bit entries after the name at `at` as one of 64-bit entries.
fn widen_darwin_table(bytes: &mut Vec<u8>, at: usize) {
    let size_field = 8 + 48..8 + 58;
    let size: usize = std::str::from_utf8(&bytes[size_field.clone()]).unwrap().trim_end().parse().unwrap();
    let word = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    let old_end = 8 + 60 + size;
    let names = bytes[at + 12 + 4 + 16 + 4..old_end].to_vec();
    let growth = 4 + 16 + 4;
    let mut table = b"__.SYMDEF_64".to_vec();
    table.extend_from_slice(&32u64.to_le_bytes());
    for entry in 0..2 {
        table.extend_from_slice(&word(at + 16 + entry * 8).to_le_bytes());
        table.extend_from_slice(&(word(at + 20 + entry * 8) + growth).to_le_bytes());
    }
    table.extend_from_slice(&(names.len() as u64).to_le_bytes());
    table.extend_from_slice(&names);
    bytes[size_field].copy_from_slice(format!("{:<10}", size + growth as usize).as_bytes());
    bytes.splice(at..old_end, table);
}

#[test]
fn a_rust_library_gives_its_objects_and_hides_its_metadata() {
    let tools = Tools::new();
    tools.write("lib.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn from_rust() -> i32 { 7 }");
    tools.run("rustc", &["--crate-type=rlib", "--edition=2024", "lib.rs", "-o", "libx.rlib"]);
    let file = InputFile::open(tools.path("libx.rlib")).unwrap();
    let archive = Archive::parse(&file).unwrap();
    assert!(archive_names(&archive).contains(&"lib.rmeta".to_owned()));
    let linkable: Vec<_> = archive
        .members()
        .map(Result::unwrap)
        .filter(|member| member.is_linkable(member.bytes().unwrap()).unwrap())
        .collect();
    assert!(!linkable.is_empty());
    assert!(linkable.iter().all(|member| member.name().ends_with(b".o")));
    assert!(index(&archive).iter().any(|(name, _)| name == "from_rust"));
}

#[test]
fn members_that_are_no_objects_are_left_out_unless_they_would_be_missed() {
    let tools = objects(&[]);
    tools.write("empty.o", b"");
    tools.write("odd.txt", b"odd");
    tools.run(&llvm("llvm-ar"), &["rcs", "x.a", "empty.o", "odd.txt", "short.o"]);
    let file = InputFile::open(tools.path("x.a")).unwrap();
    let archive = Archive::parse(&file).unwrap();
    let linkable: Vec<_> = archive
        .members()
        .map(Result::unwrap)
        .map(|member| member.is_linkable(member.bytes().unwrap()).unwrap())
        .collect();
    assert_eq!(linkable, [false, false, true]);

    tools.run(&clang(), &["-flto", "-c", "short.c", "-o", "bitcode.o"]);
    tools.run(&llvm("llvm-ar"), &["rcs", "y.a", "bitcode.o"]);
    let file = InputFile::open(tools.path("y.a")).unwrap();
    let archive = Archive::parse(&file).unwrap();
    let member = archive.members().next().unwrap().unwrap();
    let error = member.is_linkable(member.bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("y.a(bitcode.o): is LLVM bitcode") && error.contains("-fno-lto"), "{error}");
}

#[test]
fn an_archive_without_members_is_empty() {
    let archive = Archive::from_bytes("x.a".into(), Path::new(""), b"!<arch>\n").unwrap();
    assert_eq!(archive.members().count(), 0);
    assert!(archive.symbols().unwrap().is_none());
    for ar in [llvm("llvm-ar"), "ar".to_owned()] {
        let tools = Tools::new();
        tools.run(&ar, &["rcs", "x.a"]);
        let file = InputFile::open(tools.path("x.a")).unwrap();
        let archive = Archive::parse(&file).unwrap();
        assert_eq!(archive.members().count(), 0);
        assert_eq!(archive.symbols().unwrap().map_or(0, Iterator::count), 0);
    }
}

/// Reads everything there is to read; counts what was found.
fn read_all(bytes: &[u8]) -> Result<usize> {
    let archive = Archive::from_bytes("x.a".into(), Path::new("/nowhere"), bytes)?;
    let mut found = 0;
    for symbol in archive.symbols()?.into_iter().flatten() {
        let (_, offset) = symbol?;
        archive.member(offset)?;
        found += 1;
    }
    for member in archive.members() {
        let member = member?;
        found += 1;
        if let Some(bytes) = member.bytes() {
            defined_symbols(&Place::file(member.display_name()), bytes, |_| found += 1)?;
        }
    }
    Ok(found)
}

/// Small archives of each format, the objects in them replaced by a few bytes.
fn small_archives() -> Vec<Vec<u8>> {
    let tools = objects(&[]);
    tools.write("sub/deep.o", b"deep");
    let make = |args: &[&str]| {
        tools.run(&llvm("llvm-ar"), args);
        tools.read(args[args.iter().position(|arg| arg.ends_with(".a")).unwrap()])
    };
    tools.run("ar", &["rcs", "inner.a", "short.o"]);
    tools.run("ar", &["rcsT", "nested.a", "inner.a", LONG]);
    vec![
        make(&["rcs", "--format=gnu", "g.a", "short.o", LONG]),
        make(&["rcs", "--format=bsd", "b.a", "short.o", LONG]),
        make(&["rcs", "--format=darwin", "d.a", "short.o", LONG]),
        make(&["rcs", "--thin", "t.a", "short.o", "sub/deep.o", LONG]),
        tools.read("nested.a"),
        with_64_bit_table(&tools.read("short.o")),
    ]
}

#[test]
fn every_truncation_is_read_or_refused_cleanly() {
    for bytes in small_archives() {
        let whole = read_all(&bytes).unwrap();
        for end in 0..bytes.len() {
            match read_all(&bytes[..end]) {
                Ok(found) => assert!(found < whole || end + 1 == bytes.len(), "{end} of {}", bytes.len()),
                Err(Error::Malformed(located)) => {
                    assert!(located.place.offset.is_some() || located.place.file.contains('('), "{located}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn mutations_are_read_or_refused_cleanly() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for bytes in small_archives() {
        for _ in 0..2000 {
            let mutant = random.mutate(&bytes);
            if let Err(error) = read_all(&mutant) {
                assert!(matches!(error, Error::Malformed(_)), "{error}");
            }
        }
        let head = bytes.len().min(200);
        for _ in 0..2000 {
            let mutant = [&random.mutate(&bytes[..head]), &bytes[head..]].concat();
            if let Err(error) = read_all(&mutant) {
                assert!(matches!(error, Error::Malformed(_)), "{error}");
            }
        }
    }
}
