//! What a call makes, without calling.

use std::rc::Rc;

use super::heap::Global;
use super::{Heap, Node, PickleError, StoredTensor, Value};

/// Names of Python's `builtins` whose call is harmless: types of values, and what looks a name up.
/// Names with a capital are exceptions.
const HARMLESS: &[&str] = &[
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "enumerate",
    "float",
    "frozenset",
    "getattr",
    "int",
    "iter",
    "list",
    "long",
    "object",
    "range",
    "reversed",
    "set",
    "slice",
    "str",
    "tuple",
    "type",
    "unicode",
    "xrange",
    "zip",
];

/// Modules of Python that no checkpoint needs, and whose functions run programs, load code or
/// reach out. Their classes are harmless but for the one that is a process.
const MODULES: &[&str] = &[
    "_pickle",
    "cPickle",
    "code",
    "commands",
    "ctypes",
    "importlib",
    "marshal",
    "nt",
    "os",
    "pdb",
    "pickle",
    "pip",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "timeit",
    "webbrowser",
];

/// Most characters of a name that is put together.
const LONGEST_NAME: usize = 1024;

/// Most functions that hand their call on to the next.
const HANDS: usize = 4;

/// What the call of a function or class returns.
///
/// # Errors
///
/// [`PickleError::Code`] if Python would run a program by it, [`PickleError::Damaged`] if it should
/// make a tensor and its parts are none.
pub(super) fn call(
    heap: &mut Heap,
    function: &Value,
    arguments: &[Value],
) -> Result<Value, PickleError> {
    let (mut function, mut arguments) = (function.clone(), arguments.to_vec());
    for _ in 0..HANDS {
        let Some(global) = named(heap, &function) else {
            break;
        };
        refuse_code(&global)?;
        let first = arguments.first().cloned();
        match (global.module.as_str(), global.name.as_str()) {
            ("torch._tensor" | "torch.tensor", "_rebuild_from_type" | "_rebuild_from_type_v2") => {
                let inner = arguments.get(2).and_then(|inner| heap.sequence(inner));
                let (Some(next), Some(inner)) = (first, inner) else {
                    break;
                };
                (function, arguments) = (next, inner.to_vec());
                heap.charge(arguments.len())?;
            }
            ("torch._utils", name) if name.starts_with("_rebuild_") => {
                return rebuilt(heap, name, &arguments);
            }
            ("collections", "OrderedDict") => return ordered(heap, first.as_ref()),
            ("copy_reg" | "copyreg", "_reconstructor" | "__newobj__" | "__newobj_ex__") => {
                let Some(class) = first else {
                    break;
                };
                return made_of(heap, &class, arguments.get(2));
            }
            ("builtins" | "__builtin__", "getattr") => return attribute(heap, &arguments),
            _ => break,
        }
    }
    made_of(heap, &function, arguments.first())
}

/// An object of a class, as yet without contents.
pub(super) fn made(heap: &mut Heap, class: &Value) -> Value {
    let class = match heap.node(class) {
        Some(Node::Global(class)) if class.is("collections", "OrderedDict") => {
            return heap.add(Node::Dict(Vec::new()));
        }
        Some(Node::Global(class)) => Rc::clone(class),
        // What an object returns that can be called.
        Some(Node::Object(object)) => Rc::clone(&object.class),
        _ => Global::unnamed("object"),
    };
    heap.add_object(class)
}

fn named(heap: &Heap, value: &Value) -> Option<Rc<Global>> {
    match heap.node(value)? {
        Node::Global(global) => Some(Rc::clone(global)),
        _ => None,
    }
}

/// What `torch._utils._rebuild_…` makes: a tensor, or something that holds one as its first part.
fn rebuilt(heap: &mut Heap, name: &str, arguments: &[Value]) -> Result<Value, PickleError> {
    let tensor = arguments
        .first()
        .filter(|value| heap.tensor(value).is_some());
    if let Some(tensor) = tensor.filter(|_| name.starts_with("_rebuild_parameter")) {
        return Ok(tensor.clone());
    }
    let dtype = (name == "_rebuild_tensor_v3").then(|| arguments.get(6));
    let tensor = match name {
        "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" => {
            StoredTensor::rebuilt(heap, arguments, dtype.flatten())
        }
        _ => None,
    };
    match tensor {
        Some(tensor) => {
            let tensor = tensor.map_err(PickleError::Damaged)?;
            Ok(heap.add(Node::Tensor(Box::new(tensor))))
        }
        // Sparse, quantized, on no device: a tensor that no network here takes.
        None => Ok(heap.add_object(Global::unnamed("torch.Tensor of another kind"))),
    }
}

/// An `OrderedDict`, empty or of a list of pairs.
fn ordered(heap: &mut Heap, pairs: Option<&Value>) -> Result<Value, PickleError> {
    let pairs = pairs.and_then(|pairs| heap.sequence(pairs)).unwrap_or(&[]);
    let pairs = pairs.iter().filter_map(|pair| match heap.sequence(pair) {
        Some([key, value]) => Some((key.clone(), value.clone())),
        _ => None,
    });
    let pairs: Vec<_> = pairs.collect();
    heap.charge(pairs.len())?;
    Ok(heap.add(Node::Dict(pairs)))
}

/// An object of a class, which has the entries of a dictionary if it is made of one.
fn made_of(heap: &mut Heap, class: &Value, base: Option<&Value>) -> Result<Value, PickleError> {
    let value = made(heap, class);
    let entries = base.and_then(|base| heap.entries(base));
    let entries = entries.map(<[_]>::to_vec).unwrap_or_default();
    heap.charge(entries.len())?;
    match heap.node_mut(&value) {
        Some(Node::Dict(own)) => own.extend(entries),
        Some(Node::Object(object)) => object.items.extend(entries),
        _ => {}
    }
    Ok(value)
}

/// A class inside of a class, a method of an object: by its name.
fn attribute(heap: &mut Heap, arguments: &[Value]) -> Result<Value, PickleError> {
    let [owner, name, ..] = arguments else {
        return Ok(heap.add_object(Global::unnamed("builtins.getattr")));
    };
    let name = name.text().unwrap_or("?");
    let (module, name) = match heap.node(owner) {
        Some(Node::Global(outer)) => (outer.module.clone(), format!("{}.{name}", outer.name)),
        _ => (String::new(), name.to_owned()),
    };
    if module.len() + name.len() > LONGEST_NAME {
        return Err(PickleError::Damaged("an unterminated name".to_owned()));
    }
    Ok(heap.add(Node::Global(Rc::new(Global { module, name }))))
}

/// An error if the function runs a program in Python. That is a courtesy and no scan for malware:
/// here nothing is called anyway.
fn refuse_code(global: &Global) -> Result<(), PickleError> {
    let Global { module, name } = global;
    let first = name.split('.').next().unwrap_or_default();
    let capital = first.starts_with(|first: char| first.is_ascii_uppercase());
    let code = match module.split('.').next().unwrap_or_default() {
        "builtins" | "__builtin__" => !HARMLESS.contains(&first) && !capital,
        top if MODULES.contains(&top) => {
            let class = capital || name.ends_with("_result");
            !class || first == "Popen"
        }
        // A module inside of a module.
        _ => name.contains('.') && MODULES.contains(&first),
    };
    match code {
        true => Err(PickleError::Code(
            global.to_string().escape_debug().to_string(),
        )),
        false => Ok(()),
    }
}
