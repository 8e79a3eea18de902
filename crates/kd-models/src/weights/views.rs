//! The keys of a state dict without what wrappers put before them.

use std::collections::{BTreeMap, BTreeSet};

use glob::Pattern;

use super::listing::{Entry, Listing};
use super::names::Rank;
use super::sets::StateSet;

/// Parts of keys that wrappers put in wherever they are: data-parallel training, compilation,
/// sharding, recomputation. None of them is a part of a network.
const WRAPPERS: &[&str] = &[
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// How deep networks are in others.
const DEPTH: usize = 4;

/// Most ways to look at a set.
const MOST: usize = 64;

/// A set under keys that may be those of a network.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) set: &'a StateSet,
    /// What all keys began with, when wrappers are left out, as in `student.`.
    pub(super) prefix: String,
    /// Entries by key, and the key that the file has.
    entries: BTreeMap<String, (&'a str, &'a Entry)>,
}

impl<'a> View<'a> {
    /// The set as it is, without what is to be ignored.
    fn plain(set: &'a StateSet, ignore: &[Pattern]) -> Self {
        let entries = set.entries.iter();
        let entries = entries.filter(|(key, _)| !matches(ignore, key));
        let entries = entries.map(|(key, entry)| (key.clone(), (key.as_str(), entry)));
        Self {
            set,
            prefix: String::new(),
            entries: entries.collect(),
        }
    }

    /// Keys and entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &'a Entry)> {
        let entries = self.entries.iter();
        entries.map(|(key, (_, entry))| (key.as_str(), *entry))
    }

    pub(super) fn listing(&self) -> Listing<'_> {
        Listing::of(self.entries())
    }

    /// Names on the way to these weights.
    pub(super) fn names(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        let inside = self.prefix.split_terminator('.');
        self.set.path.iter().map(String::as_str).chain(inside)
    }

    /// How likely they are meant, among others of the same set.
    pub(super) fn rank(&self) -> Rank {
        Rank::of(self.prefix.split_terminator('.'))
    }

    /// Whether these are the same tensors under the same keys.
    fn is_same(&self, other: &Self) -> bool {
        let keys = |view: &Self| {
            let keys = view.entries.iter();
            keys.map(|(key, (original, _))| (key.clone(), *original))
                .collect::<Vec<_>>()
        };
        self.entries.len() == other.entries.len() && keys(self) == keys(other)
    }

    /// What has to be asked for to get them.
    pub(super) fn name(&self) -> String {
        self.names().collect::<Vec<_>>().join(".")
    }

    /// Tensors.
    fn tensors(&self) -> impl Iterator<Item = &str> {
        let entries = self.entries();
        entries.filter_map(|(key, entry)| entry.shape().map(|_| key))
    }

    /// Parts of keys that were removed, as a text.
    pub(super) fn removed(&self) -> String {
        let mut removed = BTreeSet::new();
        for (key, (original, _)) in &self.entries {
            let mut rest = key.split('.').peekable();
            let gone = original.split('.').filter(|part| {
                let kept = rest.peek() == Some(part);
                if kept {
                    rest.next();
                }
                !kept
            });
            let gone: String = gone.map(|part| format!("{part}.")).collect();
            removed.insert(gone);
        }
        let removed = removed.iter().filter(|part| !part.is_empty());
        let removed = removed.map(|part| format!("`{}`", part.escape_debug()));
        removed.collect::<Vec<_>>().join(", ")
    }

    /// Keys of the file that are not in it.
    pub(super) fn beside(&self) -> Vec<&'a str> {
        let taken: BTreeSet<&str> = self.entries.values().map(|(key, _)| *key).collect();
        let keys = self.set.entries.keys().map(String::as_str);
        keys.filter(|key| !taken.contains(key)).collect()
    }

    /// The same under keys that `change` makes; `None` if two would be one, or if none changes.
    fn renamed(&self, ignore: &[Pattern], change: impl Fn(&str) -> String) -> Option<Self> {
        let mut entries = BTreeMap::new();
        for (key, value) in &self.entries {
            let key = change(key);
            if !matches(ignore, &key) && entries.insert(key, *value).is_some() {
                return None;
            }
        }
        let changed = entries.keys().ne(self.entries.keys());
        changed.then(|| Self {
            entries,
            ..self.clone()
        })
    }

    /// The same without wrappers.
    fn unwrapped(&self, ignore: &[Pattern]) -> Option<Self> {
        self.renamed(ignore, |key| {
            let parts = key.split('.').filter(|part| !WRAPPERS.contains(part));
            parts.collect::<Vec<_>>().join(".")
        })
    }

    /// What is under this first part of keys; whatever is no tensor stays, with `all`.
    fn under(&self, part: &str, ignore: &[Pattern], all: bool) -> Option<Self> {
        let start = format!("{part}.");
        let mut entries = BTreeMap::new();
        for (key, value) in &self.entries {
            let rest = match key.strip_prefix(&start) {
                Some(rest) => rest,
                None if all && value.1.shape().is_none() => key,
                None => continue,
            };
            if !matches(ignore, rest) && entries.insert(rest.to_owned(), *value).is_some() {
                return None;
            }
        }
        Some(Self {
            set: self.set,
            prefix: format!("{}{start}", self.prefix),
            entries,
        })
    }

    /// First parts of the keys of tensors, with how many have it.
    fn parts(&self) -> BTreeMap<&str, usize> {
        let mut parts = BTreeMap::new();
        for key in self.tensors() {
            let part = key.split_once('.').map_or("", |(part, _)| part);
            *parts.entry(part).or_default() += 1;
        }
        parts
    }

    /// Whether there is a matrix or a convolution, as in every network.
    fn has_weights(&self) -> bool {
        let mut shapes = self.entries().filter_map(|(_, entry)| entry.shape());
        shapes.any(|shape| shape.len() >= 2)
    }
}

/// All of a set: as it is, without wrappers, and without each prefix that all tensors have.
pub(super) fn whole<'a>(set: &'a StateSet, ignore: &[Pattern]) -> Vec<View<'a>> {
    let plain = View::plain(set, ignore);
    let unwrapped = plain.unwrapped(ignore);
    let mut views = vec![plain];
    views.extend(unwrapped);
    for _ in 0..DEPTH {
        let Some(last) = views.last() else {
            break;
        };
        let parts = last.parts();
        let mut parts = parts.keys().copied();
        let (Some(part), None) = (parts.next(), parts.next()) else {
            break;
        };
        let Some(next) = (!part.is_empty()).then(|| last.under(part, ignore, true)) else {
            break;
        };
        views.extend(next.filter(View::has_weights));
    }
    views
}

/// Parts of a set that may be networks of their own: what is under each prefix that some tensors
/// have and others have not.
pub(super) fn parts<'a>(set: &'a StateSet, ignore: &[Pattern]) -> Vec<View<'a>> {
    let mut whole = whole(set, ignore);
    // Without wrappers first; with them, since they may be what tells the parts from one another.
    let mut level: Vec<View<'a>> = whole.pop().into_iter().collect();
    level.extend(whole.into_iter().next());
    let mut found: Vec<View<'a>> = Vec::new();
    for _ in 0..DEPTH {
        let mut next: Vec<View<'a>> = Vec::new();
        for view in &level {
            for part in view.parts().into_keys().filter(|part| !part.is_empty()) {
                let inner = view.under(part, ignore, false);
                let inner = inner.filter(|inner| {
                    let known = found.iter().chain(&next).any(|known| known.is_same(inner));
                    inner.has_weights() && !known
                });
                next.extend(inner);
                if found.len() + next.len() >= MOST {
                    break;
                }
            }
        }
        found.extend(next.iter().cloned());
        level = next;
    }
    found.truncate(MOST);
    found
}

fn matches(patterns: &[Pattern], key: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(key))
}
