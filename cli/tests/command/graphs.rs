//! `-show-graphs` and `--graph`.

use crate::bench::{Bench, words};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.build("one.c", "int two(void); int main(void) { return two(); }");
    bench.build("two.c", "int two(void) { return 2; }");
    bench
}

#[test]
fn graphs_are_chosen_by_a_regular_expression() {
    let bench = bench();
    let shown = |pattern: &str| {
        let flag = format!("-show-graphs={pattern}");
        let shown = bench.shown(&["-noexec", "one.o", "two.o", &flag]);
        let heads = shown.lines().filter_map(|line| line.strip_prefix("Link graph \"")).map(str::to_owned);
        heads.map(|head| head.replace("\" post-fixup:", "")).collect::<Vec<_>>()
    };
    assert_eq!(shown("two"), ["two.o"]);
    assert_eq!(shown("^(one|two)\\.o$"), ["one.o", "two.o"]);
    assert_eq!(shown("^o$"), [""; 0]);
    assert_eq!(shown("."), ["one.o", "two.o", "<image>"]);
    let message = bench.refused(&["-noexec", "one.o", "two.o", "-show-graphs", "("]);
    assert!(message.contains("-show-graphs") && message.contains("regular expression"), "{message}");
}

#[test]
fn a_graph_shows_addresses_symbols_and_edges() {
    let bench = bench();
    let text = bench.shown(&words("-noexec one.o two.o -show-graphs one"));
    assert!(text.contains(".text r-x") && text.contains("symbol main") && text.contains("edge"), "{text}");
}

#[test]
fn graphs_can_be_drawn() {
    let bench = bench();
    let dot = bench.shown(&words("-noexec one.o two.o --graph dot -show-graphs=one"));
    assert!(dot.starts_with("digraph \"one.o\" {") && dot.ends_with("}\n"), "{dot}");
    let all = bench.shown(&words("-noexec one.o two.o --graph=dot"));
    assert_eq!(all.matches("digraph").count(), 3, "{all}");
    let text = bench.shown(&words("-noexec one.o two.o --graph=text"));
    assert_eq!(text.matches("Link graph").count(), 3, "{text}");
}
