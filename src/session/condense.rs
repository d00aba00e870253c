//! Strongly connected components of small graphs, each after those it depends on.

/// The strongly connected components of the graph with `count` nodes in which `edges(n)` are the nodes that `n` depends
/// on. Every component comes after those it depends on; within one, nodes are in ascending order.
///
/// Tarjan's algorithm with a stack of its own: chains may be as long as they like.
pub(super) fn components<'a>(count: usize, edges: impl Fn(usize) -> &'a [usize]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut order = vec![UNSEEN; count];
    let mut lowest = vec![0; count];
    let mut on_path = vec![false; count];
    let (mut path, mut calls, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = 0;
    for root in 0..count {
        if order[root] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((node, position)) = calls.pop() {
            if position == 0 {
                (order[node], lowest[node]) = (next, next);
                next += 1;
                path.push(node);
                on_path[node] = true;
            }
            let Some(&target) = edges(node).get(position) else {
                if lowest[node] == order[node] {
                    out.push(take_component(&mut path, &mut on_path, node));
                }
                if let Some(&(caller, _)) = calls.last() {
                    let caller: usize = caller;
                    lowest[caller] = lowest[caller].min(lowest[node]);
                }
                continue;
            };
            calls.push((node, position + 1));
            if order[target] == UNSEEN {
                calls.push((target, 0));
            } else if on_path[target] {
                lowest[node] = lowest[node].min(order[target]);
            }
        }
    }
    out
}

fn take_component(path: &mut Vec<usize>, on_path: &mut [bool], root: usize) -> Vec<usize> {
    let start = path.iter().rposition(|&node| node == root).unwrap_or(0);
    let mut component = path.split_off(start);
    component.iter().for_each(|&node| on_path[node] = false);
    component.sort_unstable();
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(edges: &[&[usize]]) -> Vec<Vec<usize>> {
        components(edges.len(), |node| edges[node])
    }

    #[test]
    fn dependencies_come_first_and_cycles_are_one() {
        assert_eq!(of(&[&[1], &[2], &[]]), [vec![2], vec![1], vec![0]]);
        assert_eq!(of(&[&[1], &[0], &[1, 3], &[]]), [vec![0, 1], vec![3], vec![2]]);
        assert_eq!(of(&[&[1], &[2], &[3, 0], &[3]]), [vec![3], vec![0, 1, 2]]);
        assert_eq!(of(&[&[0]]), [vec![0]]);
        assert_eq!(of(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn long_chains_and_cycles_take_no_stack() {
        const COUNT: usize = 200_000;
        let chain: Vec<[usize; 1]> = (0..COUNT).map(|n| [(n + 1).min(COUNT - 1)]).collect();
        assert_eq!(components(COUNT, |node| &chain[node]).len(), COUNT);
        let cycle: Vec<[usize; 1]> = (0..COUNT).map(|n| [(n + 1) % COUNT]).collect();
        assert_eq!(components(COUNT, |node| &cycle[node]).len(), 1);
    }
}
