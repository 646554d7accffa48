//! The discrimination tree: which word to ask to tell which states apart.

use crate::Word;

/// Leaves are states; an inner node asks a word, and each answer leads to another child.
#[derive(Debug)]
pub(crate) struct Tree<O> {
    nodes: Vec<Node<O>>,
}

#[derive(Debug)]
struct Node<O> {
    parent: usize,
    kind: Kind<O>,
}

#[derive(Debug)]
enum Kind<O> {
    Leaf(usize),
    Inner { word: Word, children: Vec<(Vec<O>, usize)> },
}

impl<O: Eq> Tree<O> {
    /// One leaf, node 0, for state 0.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node { parent: 0, kind: Kind::Leaf(0) }] }
    }

    /// The state of a leaf.
    pub(crate) fn state(&self, node: usize) -> Option<usize> {
        match self.nodes[node].kind {
            Kind::Leaf(state) => Some(state),
            Kind::Inner { .. } => None,
        }
    }

    /// The word of an inner node.
    pub(crate) fn word(&self, node: usize) -> Option<&Word> {
        match &self.nodes[node].kind {
            Kind::Leaf(_) => None,
            Kind::Inner { word, .. } => Some(word),
        }
    }

    /// Where an answer leads; a new leaf for `fresh` if it was not given before.
    pub(crate) fn child(&mut self, node: usize, answer: Vec<O>, fresh: usize) -> usize {
        let leaf = self.nodes.len();
        if let Kind::Inner { children, .. } = &mut self.nodes[node].kind {
            if let Some((_, child)) = children.iter().find(|(known, _)| *known == answer) {
                return *child;
            }
            children.push((answer, leaf));
        }
        self.nodes.push(Node { parent: node, kind: Kind::Leaf(fresh) });
        leaf
    }

    /// A leaf turns into a question whose two answers are its old state and a fresh one.
    pub(crate) fn split(&mut self, leaf: usize, word: Word, old: (Vec<O>, usize), fresh: (Vec<O>, usize)) {
        let first = self.nodes.len();
        let children = vec![(old.0, first), (fresh.0, first + 1)];
        self.nodes[leaf].kind = Kind::Inner { word, children };
        self.nodes.push(Node { parent: leaf, kind: Kind::Leaf(old.1) });
        self.nodes.push(Node { parent: leaf, kind: Kind::Leaf(fresh.1) });
    }

    /// The word that tells two different leaves apart.
    pub(crate) fn parting(&self, one: usize, other: usize) -> Option<&Word> {
        let ancestors = self.ancestors(one);
        self.ancestors(other)
            .into_iter()
            .find(|node| ancestors.contains(node))
            .and_then(|node| self.word(node))
    }

    fn ancestors(&self, mut node: usize) -> Vec<usize> {
        let mut found = vec![node];
        while node != 0 {
            node = self.nodes[node].parent;
            found.push(node);
        }
        found
    }
}
