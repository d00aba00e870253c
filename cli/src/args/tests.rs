//! Every way of writing an option.

use super::*;
use jitlink::inputs::{Members, Origin};

fn parse(line: &str) -> Result<CommandLine, clap::Error> {
    CommandLine::parse(std::iter::once("jitlink").chain(line.split_whitespace()).map(OsString::from))
}

fn ok(line: &str) -> CommandLine {
    parse(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(line: &str) -> String {
    match parse(line) {
        Ok(_) => panic!("{line}: accepted"),
        Err(error) => error.to_string(),
    }
}

fn argv(line: &str) -> Vec<String> {
    ok(line).argv().into_iter().map(|arg| arg.into_string().unwrap()).collect()
}

/// Inputs in a short form: `name`, `-lname`, with `h:` for hidden and `w:` for whole.
fn inputs(line: &str) -> Vec<String> {
    let show = |input: &Input| {
        let marks = [("h:", input.hidden), ("w:", input.members == Members::All)];
        let marks: String = marks.iter().filter(|(_, on)| *on).map(|(mark, _)| *mark).collect();
        let dash = if matches!(input.origin, Origin::Library(_)) { "-l" } else { "" };
        format!("{marks}{dash}{}", input.name().to_string_lossy())
    };
    ok(line).inputs.iter().map(show).collect()
}

#[test]
fn the_command_is_well_formed() {
    Options::command().debug_assert();
}

#[test]
fn flags_take_one_dash_or_two_and_a_truth_value() {
    for flag in [
        "noexec",
        "search-sys-lib",
        "all_load",
        "no-process-syms",
        "phony-externals",
        "keep-all",
        "dual-map",
        "show-addrs",
        "show-relocated-section-contents",
        "show-linked-files",
        "show-times",
        "stats",
        "add-self-relocations",
        "perf-support",
    ] {
        for form in [format!("-{flag}"), format!("--{flag}"), format!("-{flag}=true"), format!("--{flag}=1")]
        {
            let options = ok(&format!("a.o {form}")).options;
            let value = match flag {
                "noexec" => options.noexec,
                "search-sys-lib" => options.search_sys_lib,
                "all_load" => options.all_load,
                "no-process-syms" => options.no_process_syms,
                "phony-externals" => options.phony_externals,
                "keep-all" => options.keep_all,
                "dual-map" => options.dual_map,
                "show-addrs" => options.show_addrs,
                "show-relocated-section-contents" => options.show_relocated_section_contents,
                "show-linked-files" => options.show_linked_files,
                "show-times" => options.show_times,
                "stats" => options.stats,
                "perf-support" => options.perf_support,
                _ => options.add_self_relocations,
            };
            assert!(value, "{form}");
        }
    }
    assert!(!ok("-noexec=false a.o").options.noexec);
    assert!(!ok("--noexec=0 a.o").options.noexec);
    assert!(ok("-noexec -noexec a.o").options.noexec);
    assert!(refused("-noexec=maybe a.o").contains("noexec"));
    for (line, debugger) in [
        ("a.o", true),
        ("-debugger-support=false a.o", false),
        ("-debugger-support=0 --debugger-support a.o", true),
        ("-debugger-support a.o --debugger-support=false", false),
    ] {
        assert_eq!(ok(line).options.debugger(), debugger, "{line}");
        let line = line.replace("debugger-support", "crash-report");
        assert_eq!(ok(&line).options.crash_report(), debugger, "{line}");
    }
}

#[test]
fn values_follow_an_equals_sign_or_the_name() {
    for form in ["-entry start", "--entry start", "-entry=start", "--entry=start"] {
        assert_eq!(ok(&format!("{form} a.o")).options.entry.as_deref(), Some("start"), "{form}");
    }
    assert_eq!(ok("-entry -odd a.o").options.entry.as_deref(), Some("-odd"));
    assert_eq!(ok("-entry=a -entry=b a.o").options.entry.as_deref(), Some("b"));
    assert_eq!(ok("a.o").options.entry(Spelling::Plain), "main");
    assert_eq!(ok("a.o").options.entry(Spelling::Underscored), "_main");
    assert_eq!(ok("-write-symtab - a.o").options.write_symtab, Some("-".into()));
    assert_eq!(ok("-check a -check=b a.o").options.check, [PathBuf::from("a"), "b".into()]);
    assert_eq!(ok("-check-name=x a.o").options.check_name, "x");
    assert_eq!(ok("a.o").options.check_name, "jitlink-check");
    assert_eq!(ok("-preload=a.so --preload b.so a.o").options.preload.len(), 2);
    assert_eq!(ok("-num-threads=4 a.o").options.num_threads, Some(4));
    assert!(refused("a.o -entry").contains("--entry"));
}

#[test]
fn symbol_definitions() {
    let options = ok("-abs x=0x10 -abs=y=2 -alias a=b a.o -sectcreate s,f@q=1").options;
    assert_eq!(options.abs.iter().map(|abs| abs.address).collect::<Vec<_>>(), [16, 2]);
    assert_eq!(options.alias[0].target, "b");
    assert_eq!(options.sectcreate[0].symbols, [("q".to_owned(), 1)]);
    assert!(refused("-abs x a.o").contains("write SYMBOL=ADDRESS"));
    assert!(refused("-alias x a.o").contains("write ALIAS=SYMBOL"));
}

#[test]
fn libraries_are_written_in_four_ways() {
    for form in ["-lfoo", "-l foo", "-l=foo", "--lfoo"] {
        assert_eq!(inputs(form), ["-lfoo"], "{form}");
    }
    for form in ["-hidden-lfoo", "-hidden-l foo", "--hidden-l=foo", "-hidden-l=foo"] {
        assert_eq!(inputs(form), ["h:-lfoo"], "{form}");
    }
    assert_eq!(inputs("-load_hidden x.a"), ["h:x.a"]);
    assert_eq!(inputs("-load_hidden=x.a"), ["h:x.a"]);
    assert_eq!(inputs("-l:libx.a"), ["-l:libx.a"]);
    for form in ["-Ldir", "-L dir", "-L=dir", "--Ldir"] {
        assert_eq!(ok(&format!("{form} a.o")).options.library_dirs, [PathBuf::from("dir")], "{form}");
    }
}

#[test]
fn inputs_keep_their_order() {
    assert_eq!(
        inputs("a.o -lx b.a -hidden-ly -Ld -load_hidden=z.a c.o"),
        ["a.o", "-lx", "b.a", "h:-ly", "h:z.a", "c.o"]
    );
}

#[test]
fn whole_archives_are_a_stretch_of_the_command_line_or_all() {
    assert_eq!(inputs("a.a --whole-archive b.a -lc -no-whole-archive d.a"), ["a.a", "w:b.a", "w:-lc", "d.a"]);
    assert_eq!(
        inputs("-whole-archive a.a --no-whole-archive b.a --whole-archive c.a"),
        ["w:a.a", "b.a", "w:c.a"]
    );
    assert_eq!(inputs("a.a -all_load b.a"), ["w:a.a", "w:b.a"]);
}

#[test]
fn after_two_dashes_come_the_programs_arguments() {
    assert_eq!(argv("dir/a.o b.o"), ["dir/a.o"]);
    assert_eq!(argv("a.o -- -x -entry --y -- z"), ["a.o", "-x", "-entry", "--y", "--", "z"]);
    assert_eq!(argv("a.o --"), ["a.o"]);
    assert_eq!(argv("-lfoo -- x"), ["foo", "x"]);
}

#[test]
fn after_args_comes_argv_as_it_is() {
    assert_eq!(argv("a.o -args prog -x --noexec -lfoo -- y"), ["prog", "-x", "--noexec", "-lfoo", "--", "y"]);
    assert_eq!(argv("a.o --args x -args y"), ["x", "-args", "y"]);
    assert_eq!(argv("a.o -args"), [""; 0]);
    assert_eq!(argv("a.o -args --help"), ["--help"]);
}

#[test]
fn harness_files_follow_up_to_args() {
    let line = ok("a.o -harness h.o i.o -args x");
    assert_eq!(line.options.harness, [PathBuf::from("h.o"), "i.o".into()]);
    assert_eq!(argv("a.o -harness h.o -args x"), ["x"]);
    let line = ok("a.o -args x -y -harness h.o");
    assert_eq!(line.options.harness, [PathBuf::from("h.o")]);
    assert_eq!(line.argv().len(), 2);
}

#[test]
fn slabs() {
    let options = ok("-noexec -slab-allocate=10Mb -slab-address=0x10000 -slab-page-size 4096 a.o").options;
    assert_eq!(options.slab_allocate, Some(10 << 20));
    assert_eq!(options.slab_address, Some(0x10000));
    assert_eq!(options.slab_page_size, Some(4096));
    assert!(refused("-slab-address=1 a.o").contains("-slab-allocate and -noexec"));
    assert!(refused("-slab-page-size=1 -slab-allocate=1 a.o").contains("-slab-allocate and -noexec"));
    assert!(refused("-slab-allocate=1Xb a.o").contains("write a decimal number"));
    assert!(refused("-dual-map -slab-allocate=1 a.o").contains("exclude"));
}

#[test]
fn graphs_are_chosen_by_name_and_format() {
    assert_eq!(ok("a.o").options.graphs(), None);
    let text = GraphRequest { pattern: "^a".to_owned(), format: GraphFormat::Text };
    assert_eq!(ok("a.o -show-graphs ^a").options.graphs(), Some(text));
    let dot = GraphRequest { pattern: String::new(), format: GraphFormat::Dot };
    assert_eq!(ok("a.o --graph dot").options.graphs(), Some(dot));
    assert!(refused("a.o --graph svg").contains("dot"));
}

#[test]
fn unknown_options_are_refused_with_a_suggestion() {
    let message = refused("a.o -show-adrs");
    assert!(message.contains("--show-addrs"), "{message}");
    assert!(refused("a.o -bogus").contains("-bogus"), "{}", refused("a.o -bogus"));
}

#[test]
fn help_and_version_take_one_dash_too() {
    for form in ["-help", "--help", "-h"] {
        assert_eq!(parse(form).unwrap_err().kind(), ErrorKind::DisplayHelp, "{form}");
    }
    for form in ["-version", "--version", "-V"] {
        assert_eq!(parse(form).unwrap_err().kind(), ErrorKind::DisplayVersion, "{form}");
    }
    assert!(refused("-help").contains("Examples:"));
}

#[test]
fn words_need_not_be_utf8() {
    let word = OsString::from_vec(b"a\xff.o".to_vec());
    let line = CommandLine::parse(["jitlink".into(), word.clone(), "--".into(), word.clone()]).unwrap();
    assert_eq!(line.inputs[0].name(), word);
    assert_eq!(line.argv()[1].as_bytes(), b"a\xff.o");
}
