//! The sets of weights in a checkpoint.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::listing::{Entry, is_counter, is_foreign_counter};
use super::names::{KEYS, Rank, is_no_network};
use super::pickle::{Heap, Node, Pickle, Value};

/// A state dict.
#[derive(Clone, Debug)]
pub(super) struct StateSet {
    /// Names on the way to it.
    pub(super) path: Vec<String>,
    pub(super) rank: Rank,
    pub(super) entries: BTreeMap<String, Entry>,
    /// Keys of numbers that nothing depends on: those of profilers.
    pub(super) left: Vec<String>,
    /// Names by which the file has the same dictionary once more.
    pub(super) aliases: Vec<String>,
}

impl StateSet {
    /// A set without counters.
    pub(super) fn new(
        path: Vec<String>,
        entries: impl IntoIterator<Item = (String, Entry)>,
    ) -> Self {
        let mut left = Vec::new();
        let mut kept = BTreeMap::new();
        for (key, entry) in entries {
            let numbers = entry.shape().map(|shape| shape.iter().product::<usize>());
            if is_counter(&key) {
                continue;
            }
            if is_foreign_counter(&key) && numbers.is_none_or(|numbers| numbers <= 1) {
                left.push(key);
            } else {
                kept.insert(key, entry);
            }
        }
        Self {
            rank: Rank::of(path.iter().map(String::as_str)),
            path,
            entries: kept,
            left,
            aliases: Vec::new(),
        }
    }

    /// Takes note of another way to it, or goes by that if it is likelier.
    fn also_at(&mut self, rank: Rank, path: &[String]) {
        let mut other = path.to_vec();
        if rank < self.rank {
            self.rank = rank;
            std::mem::swap(&mut self.path, &mut other);
        }
        if self.aliases.len() < SEARCHED {
            self.aliases.push(other.join("."));
        }
    }

    /// Whether its name is one of those that the weights usually have.
    pub(super) fn is_usual(&self) -> bool {
        matches!(self.rank, Rank::Usual(_))
    }

    /// Whether it goes by this name: the whole of it, or the last part.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let last = self.path.last().is_some_and(|last| last == name);
        last || self.name() == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Its name: those on the way to it, with dots; nothing for the file itself.
    pub(super) fn name(&self) -> String {
        self.path.join(".")
    }
}

/// What messages call a set of this name.
pub(super) fn shown(name: &str) -> String {
    match name {
        "" => "the top level".to_owned(),
        name => format!("`{}`", name.escape_debug()),
    }
}

/// What PyTorch itself puts into a state dict beside the tensors: versions of its modules.
const METADATA: &str = "_metadata";

/// How deep sets are searched for, and dictionaries for tensors.
const DEPTH: usize = 6;

/// How deep modules are in modules.
const MODULE_DEPTH: usize = 64;

/// Most entries and modules of all sets. A module that is in two places is there twice, so that a
/// small file could have very many.
const MOST: usize = 1 << 18;

/// Longest key.
const LONGEST: usize = 1 << 10;

/// Most sets. Each is compared with all networks.
const MOST_SETS: usize = 256;

/// Most values of a list that are searched.
const SEARCHED: usize = 64;

/// All state dicts in a checkpoint, the likeliest first.
///
/// # Errors
///
/// What is wrong with the likeliest: two tensors under one key, or modules without end.
pub(super) fn find(pickle: &Pickle) -> Result<Vec<StateSet>, String> {
    let mut search = Search {
        heap: &pickle.heap,
        contents: Contents::new(&pickle.heap),
        found: Vec::new(),
        wrong: Vec::new(),
        seen: BTreeMap::new(),
        budget: MOST,
    };
    search.visit(&pickle.root, &mut Vec::new());
    let mut found = search.found;
    found.sort_by_key(|set| (set.rank, set.path.len()));
    let likeliest = found.first().map(|set| set.rank);
    let wrong = search.wrong.into_iter().min();
    match wrong.filter(|(rank, _)| likeliest.is_none_or(|likeliest| *rank <= likeliest)) {
        Some((_, reason)) => Err(reason),
        None => Ok(found),
    }
}

struct Search<'a> {
    heap: &'a Heap,
    contents: Contents<'a>,
    found: Vec<StateSet>,
    /// Sets that are none, and why.
    wrong: Vec<(Rank, String)>,
    /// What was visited, and which set it is.
    seen: BTreeMap<usize, Option<usize>>,
    budget: usize,
}

impl<'a> Search<'a> {
    fn visit(&mut self, value: &'a Value, path: &mut Vec<String>) {
        let Value::Node(place) = *value else {
            return;
        };
        let rank = Rank::of(path.iter().map(String::as_str));
        if let Some(set) = self.seen.get(&place) {
            // One dictionary under two names has the likelier.
            if let Some(set) = set.and_then(|set| self.found.get_mut(set)) {
                set.also_at(rank, path);
            }
            return;
        }
        self.seen.insert(place, None);
        let whole = is_module(self.heap, value) || self.contents.is_nested(value, DEPTH);
        let table = whole || is_table(self.heap, value, path.is_empty());
        if table && self.found.len() < MOST_SETS {
            match self.flat(value) {
                Ok(entries) => {
                    self.seen.insert(place, Some(self.found.len()));
                    self.found.push(StateSet::new(path.clone(), entries));
                }
                Err(reason) => self.wrong.push((rank, reason)),
            }
        }
        if whole || path.len() == DEPTH {
            return;
        }
        for (name, inner) in children(self.heap, value) {
            if !is_no_network(&name) && name.len() <= LONGEST {
                path.push(name.into_owned());
                self.visit(inner, path);
                path.pop();
            }
        }
    }

    fn flat(&mut self, value: &'a Value) -> Result<BTreeMap<String, Entry>, String> {
        let mut flat = Flat {
            heap: self.heap,
            contents: &mut self.contents,
            entries: BTreeMap::new(),
            budget: self.budget,
        };
        let result = flat.add("", value, MODULE_DEPTH);
        self.budget = flat.budget;
        result.map(|()| flat.entries)
    }
}

/// What is in a dictionary, an object or a list, by name.
fn children<'a>(heap: &'a Heap, value: &'a Value) -> Vec<(Cow<'a, str>, &'a Value)> {
    let named = |(key, value): &'a (Value, Value)| Some((Cow::from(key.text()?), value));
    let entries = heap.entries(value).unwrap_or_default().iter();
    let attributes = heap.attributes(value);
    let listed = heap.sequence(value).unwrap_or_default().iter();
    let listed = listed.take(SEARCHED).enumerate();
    let listed = listed.map(|(index, value)| (Cow::from(index.to_string()), value));
    entries
        .filter_map(named)
        .chain(attributes.filter_map(named))
        .chain(listed)
        .filter(|(_, value)| matches!(value, Value::Node(_)))
        .collect()
}

/// A tensor that is more than a number.
fn is_tensor(heap: &Heap, value: &Value) -> bool {
    heap.tensor(value)
        .is_some_and(|tensor| !tensor.shape.is_empty())
}

/// A whole `torch.nn.Module`.
fn is_module(heap: &Heap, value: &Value) -> bool {
    let has = |name| heap.attribute(value, name).is_some();
    has("_parameters") && has("_modules")
}

/// Whether this dictionary has tensors under keys as a state dict has them. At the top level of a
/// file any will do.
fn is_table(heap: &Heap, value: &Value, top: bool) -> bool {
    let entries = heap.entries(value).unwrap_or_default().iter();
    let mut tensors = entries.filter(|(_, value)| is_tensor(heap, value));
    tensors.any(|(key, _)| {
        key.text()
            .is_some_and(|key| top || key.contains('.') || key == "weight")
    })
}

/// What is in dictionaries, each looked at once: one may be in many places.
struct Contents<'a> {
    heap: &'a Heap,
    nested: BTreeMap<usize, bool>,
    tensors: BTreeMap<usize, bool>,
}

impl<'a> Contents<'a> {
    fn new(heap: &'a Heap) -> Self {
        Self {
            heap,
            nested: BTreeMap::new(),
            tensors: BTreeMap::new(),
        }
    }

    /// Whether these are dictionaries of dictionaries, without dots in their keys, and in them
    /// nothing but tensors.
    fn is_nested(&mut self, value: &'a Value, depth: usize) -> bool {
        let (Value::Node(place), Some(entries)) = (value, self.heap.entries(value)) else {
            return false;
        };
        if let Some(known) = self.nested.get(place) {
            return *known;
        }
        // Until it is known: a dictionary that is in itself is none.
        self.nested.insert(*place, false);
        let plain = |key: &str| !key.contains('.') && !KEYS.contains(&key);
        let nested = depth > 0
            && !entries.is_empty()
            && entries.iter().all(|(key, value)| {
                let tensors = match self.heap.entries(value) {
                    Some(_) => self.is_nested(value, depth - 1),
                    None => self.heap.tensor(value).is_some(),
                };
                tensors && key.text().is_some_and(plain)
            });
        self.nested.insert(*place, nested);
        nested
    }

    /// Whether there is a tensor in this dictionary or module.
    fn has_tensors(&mut self, value: &'a Value, depth: usize) -> bool {
        if is_module(self.heap, value) {
            return true;
        }
        let (Value::Node(place), Some(entries)) = (value, self.heap.entries(value)) else {
            return false;
        };
        if let Some(known) = self.tensors.get(place) {
            return *known;
        }
        self.tensors.insert(*place, false);
        let some = depth > 0
            && entries.iter().any(|(_, value)| {
                is_tensor(self.heap, value) || self.has_tensors(value, depth - 1)
            });
        self.tensors.insert(*place, some);
        some
    }
}

/// A state dict that is being made flat.
struct Flat<'a, 'b> {
    heap: &'a Heap,
    contents: &'b mut Contents<'a>,
    entries: BTreeMap<String, Entry>,
    budget: usize,
}

impl<'a> Flat<'a, '_> {
    fn add(&mut self, prefix: &str, value: &'a Value, depth: usize) -> Result<(), String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err("its modules are nested endlessly".to_owned());
        };
        self.spend()?;
        let heap = self.heap;
        if is_module(heap, value) {
            return self.add_module(prefix, value, depth);
        }
        // A key that is there twice has the last value, as in Python.
        let entries = heap.entries(value).unwrap_or_default().iter();
        let entries: BTreeMap<Cow<'a, str>, &Value> = entries
            .map(|(key, value)| (key_of(heap, key), value))
            .collect();
        for (key, value) in entries {
            let nested = self.contents.has_tensors(value, DEPTH);
            if prefix.is_empty() && key == METADATA {
                continue;
            }
            if nested && !is_no_network(&key) {
                self.add(&format!("{prefix}{key}."), value, depth)?;
            } else {
                self.insert(format!("{prefix}{key}"), value)?;
            }
        }
        Ok(())
    }

    /// The parameters and buffers of a module, under the keys of its state dict.
    fn add_module(&mut self, prefix: &str, value: &'a Value, depth: usize) -> Result<(), String> {
        let heap = self.heap;
        for part in ["_parameters", "_buffers"] {
            let part = heap.attribute(value, part);
            let entries = part.and_then(|part| heap.entries(part)).unwrap_or_default();
            for (key, value) in entries {
                if !matches!(value, Value::None) {
                    self.insert(format!("{prefix}{}", key_of(heap, key)), value)?;
                }
            }
        }
        let modules = heap.attribute(value, "_modules");
        let modules = modules.and_then(|modules| heap.entries(modules));
        for (key, value) in modules.unwrap_or_default() {
            self.add(&format!("{prefix}{}.", key_of(heap, key)), value, depth)?;
        }
        Ok(())
    }

    fn spend(&mut self) -> Result<(), String> {
        self.budget = match self.budget.checked_sub(1) {
            Some(budget) => budget,
            None => return Err(format!("it holds more than {MOST} modules and tensors")),
        };
        Ok(())
    }

    fn insert(&mut self, key: String, value: &Value) -> Result<(), String> {
        self.spend()?;
        if key.len() > LONGEST {
            return Err(format!("a key has more than {LONGEST} characters"));
        }
        let entry = match self.heap.tensor(value) {
            Some(tensor) if tensor.storage.element.float.is_some() => Entry::Stored(tensor.clone()),
            Some(tensor) => Entry::Other(format!(
                "{} {:?}",
                tensor.storage.element.name, tensor.shape
            )),
            None => Entry::Other(self.heap.type_of(value)),
        };
        match self.entries.insert(key.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(format!("two tensors are named `{}`", key.escape_debug())),
        }
    }
}

/// A key as text.
fn key_of<'a>(heap: &Heap, key: &'a Value) -> Cow<'a, str> {
    match (key, key.text()) {
        (_, Some(text)) => text.into(),
        (Value::Int(number), None) => number.to_string().into(),
        _ => format!("({})", heap.type_of(key)).into(),
    }
}

/// The keys of the file, for a message.
pub(super) fn top_keys(pickle: &Pickle) -> String {
    let heap = &pickle.heap;
    let Some(entries) = heap.entries(&pickle.root) else {
        return match heap.node(&pickle.root) {
            Some(Node::Tensor(_)) => "a single tensor".to_owned(),
            _ => heap.type_of(&pickle.root).escape_debug().to_string(),
        };
    };
    const SHOWN: usize = 20;
    let keys: BTreeSet<_> = entries.iter().map(|(key, _)| key_of(heap, key)).collect();
    let shown = keys.iter().take(SHOWN);
    let shown = shown.map(|key| {
        format!(
            "`{}`",
            key.chars().take(80).collect::<String>().escape_debug()
        )
    });
    let mut shown: Vec<String> = shown.collect();
    if keys.len() > SHOWN {
        shown.push(format!("and {} more", keys.len() - SHOWN));
    }
    match shown.is_empty() {
        true => "no tensors".to_owned(),
        false => shown.join(", "),
    }
}
