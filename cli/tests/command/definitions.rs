//! `-abs` and `-alias`.

use crate::bench::{Bench, SLAB, words};

#[test]
fn absolute_symbols_have_their_address() {
    let bench = Bench::new();
    bench.build(
        "abs.c",
        "extern char place; int main(void) { return &place == (char *)0x1234567890 ? 4 : 1; }",
    );
    for line in
        ["abs.o -abs place=0x1234567890", "abs.o --abs place=78187493520", "-abs=place=0x1234567890 abs.o"]
    {
        assert_eq!(bench.both(&words(line)).status, 4, "{line}");
    }
    let message = bench.refused(&words("abs.o -abs place"));
    assert!(message.contains("SYMBOL=ADDRESS"), "{message}");
}

#[test]
fn a_duplicate_definition_is_refused() {
    let bench = Bench::new();
    bench.build("def.c", "int place; int main(void) { return place; }");
    let message = bench.refused(&words("def.o -abs place=16"));
    assert!(message.contains("duplicate symbol place"), "{message}");
    assert_eq!(bench.reference(&words("def.o -abs place=16")).status, 1);
}

#[test]
fn aliases_are_other_names_for_the_same_place() {
    let bench = Bench::new();
    bench.build(
        "call.c",
        "int other(int); int here(int x) { return x + 1; } int main(void) { return other(4); }",
    );
    for line in
        ["call.o -alias other=here", "call.o --alias=other=here", "call.o -alias other=here -entry main"]
    {
        assert_eq!(bench.both(&words(line)).status, 5, "{line}");
    }
    bench.both(&words("call.o -alias other=here -alias start=main -entry start"));
    bench.write("rules", "# jitlink-check: other = here\n");
    let mut line = words("call.o -alias other=here -check=rules");
    line.extend(SLAB);
    bench.shown(&line);
}

#[test]
fn an_alias_may_lead_to_another_or_out_of_the_image() {
    let bench = Bench::new();
    bench.build(
        "call.c",
        "int other(int); int here(int x) { return x + 1; } int main(void) { return other(-4); }",
    );
    assert_eq!(bench.jitlink(&words("call.o -alias other=middle -alias middle=here")).status, 256 - 3);
    assert_eq!(bench.jitlink(&words("call.o -alias other=abs")).status, 4);
    let message = bench.refused(&words("call.o -alias other=nowhere"));
    assert!(message.contains("undefined symbol nowhere, referenced by alias other"), "{message}");
    let message = bench.refused(&words("call.o -alias other=a -alias a=b -alias b=a"));
    assert!(message.contains("undefined symbol"), "{message}");
}

#[test]
fn an_alias_loads_the_archive_member_it_leads_to() {
    let bench = Bench::new();
    bench.build("call.c", "int other(void); int main(void) { return other(); }");
    bench.build("there.c", "int there(void) { return 8; }").archive("libt.a", &["there.o"]);
    assert_eq!(bench.jitlink(&words("call.o libt.a -alias other=there")).status, 8);
}
