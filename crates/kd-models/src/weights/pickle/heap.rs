//! The values that a pickle builds.

use std::fmt;
use std::rc::Rc;

use super::{PickleError, Storage, StoredTensor};

/// Most values that are copied. A tensor of a checkpoint copies ten.
const MOST_COPIES: usize = 1 << 22;

/// A value. Containers and objects are places on a [`Heap`], since a pickle may name one of them
/// many times, also inside itself.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    /// A whole number; one beyond 128 bits is the largest, which no size or count is.
    Int(i128),
    Float,
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    Node(usize),
}

/// What is on a heap.
#[derive(Debug)]
pub(crate) enum Node {
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set,
    Dict(Vec<(Value, Value)>),
    /// A class or function.
    Global(Rc<Global>),
    Storage(Box<Storage>),
    Tensor(Box<StoredTensor>),
    Object(Box<Object>),
}

/// The name of a class or function. Many objects share it.
#[derive(Debug)]
pub(crate) struct Global {
    pub(crate) module: String,
    /// With the names of the classes that it is in.
    pub(crate) name: String,
}

/// An object of any class that is not understood.
#[derive(Debug)]
pub(crate) struct Object {
    /// The class, or the function that returned it.
    pub(crate) class: Rc<Global>,
    /// Its entries, if it is a kind of dictionary.
    pub(crate) items: Vec<(Value, Value)>,
    /// Its attributes: one dictionary, or one more for those in slots.
    pub(crate) state: Vec<Value>,
}

/// The place of all values of one pickle.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    nodes: Vec<Node>,
    /// How many values were copied.
    copied: usize,
}

impl Heap {
    pub(super) fn add(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value::Node(self.nodes.len() - 1)
    }

    /// Allows to copy so many values. Without a limit, calls with the same long list would take time
    /// and memory beyond all proportion to the file.
    pub(super) fn charge(&mut self, values: usize) -> Result<(), PickleError> {
        self.copied = self.copied.saturating_add(values);
        match self.copied <= MOST_COPIES {
            true => Ok(()),
            false => Err(PickleError::Damaged(
                "its calls have too many arguments".to_owned(),
            )),
        }
    }

    pub(super) fn add_object(&mut self, class: Rc<Global>) -> Value {
        let (items, state) = (Vec::new(), Vec::new());
        self.add(Node::Object(Box::new(Object {
            class,
            items,
            state,
        })))
    }

    pub(crate) fn node(&self, value: &Value) -> Option<&Node> {
        match value {
            Value::Node(place) => self.nodes.get(*place),
            _ => None,
        }
    }

    pub(super) fn node_mut(&mut self, value: &Value) -> Option<&mut Node> {
        match value {
            Value::Node(place) => self.nodes.get_mut(*place),
            _ => None,
        }
    }

    pub(crate) fn tensor(&self, value: &Value) -> Option<&StoredTensor> {
        match self.node(value)? {
            Node::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    pub(crate) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(&**storage),
            _ => None,
        })
    }

    /// The entries of a dictionary, or of an object that is one in its way.
    pub(crate) fn entries(&self, value: &Value) -> Option<&[(Value, Value)]> {
        match self.node(value)? {
            Node::Dict(entries) => Some(entries),
            Node::Object(object) if !object.items.is_empty() => Some(&object.items),
            _ => None,
        }
    }

    /// The values of a list or tuple.
    pub(crate) fn sequence(&self, value: &Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(values) | Node::Tuple(values) => Some(values),
            _ => None,
        }
    }

    /// The entry of a dictionary under this key; the last one, as in Python.
    pub(crate) fn get(&self, value: &Value, key: &str) -> Option<&Value> {
        let entries = self.entries(value)?.iter();
        let mut entries = entries.filter(|(own, _)| own.text() == Some(key));
        entries.next_back().map(|(_, value)| value)
    }

    /// An attribute of an object.
    pub(crate) fn attribute(&self, value: &Value, name: &str) -> Option<&Value> {
        match self.node(value)? {
            Node::Object(object) => object.state.iter().find_map(|state| self.get(state, name)),
            _ => None,
        }
    }

    /// All attributes of an object.
    pub(crate) fn attributes(&self, value: &Value) -> impl Iterator<Item = &(Value, Value)> {
        let states = match self.node(value) {
            Some(Node::Object(object)) => object.state.as_slice(),
            _ => &[],
        };
        states
            .iter()
            .filter_map(|state| self.entries(state))
            .flatten()
    }

    /// The Python type of a value.
    pub(crate) fn type_of(&self, value: &Value) -> String {
        let name = match value {
            Value::None => "None",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float => "float",
            Value::Text(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::Node(_) => match self.node(value) {
                Some(Node::List(_)) => "list",
                Some(Node::Tuple(_)) => "tuple",
                Some(Node::Set) => "set",
                Some(Node::Dict(_)) => "dict",
                Some(Node::Tensor(_)) => "torch.Tensor",
                Some(Node::Storage(_)) => "torch storage",
                Some(Node::Global(global)) => return global.to_string(),
                Some(Node::Object(object)) => return object.class.to_string(),
                None => "None",
            },
        };
        name.to_owned()
    }
}

impl Global {
    /// Of what has no module of its own.
    pub(super) fn unnamed(name: &str) -> Rc<Self> {
        let (module, name) = (String::new(), name.to_owned());
        Rc::new(Self { module, name })
    }

    pub(super) fn is(&self, module: &str, name: &str) -> bool {
        self.module == module && self.name == name
    }
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.module.as_str() {
            "" => f.write_str(&self.name),
            module => write!(f, "{module}.{}", self.name),
        }
    }
}

impl Value {
    /// A text, or bytes that are one: keys of files that Python 2 wrote.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Self::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }
}
