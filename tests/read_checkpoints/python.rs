//! Pickling what Python would, and files around it as PyTorch writes them.

use std::io::Write;
use std::path::Path;

use burn::tensor::TensorData;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A Python value.
#[derive(Clone)]
pub enum Py {
    None,
    Bool(bool),
    Int(i32),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Py>),
    Tuple(Vec<Py>),
    Dict(Vec<(Py, Py)>),
    Set(Vec<Py>),
    /// A class or function.
    Global(&'static str, &'static str),
    /// What a function returns, or a class that is called.
    Call(Box<Py>, Vec<Py>),
    /// An object that `__new__` of a class makes.
    New(Box<Py>, Vec<Py>),
    /// An object with this state.
    State(Box<Py>, Box<Py>),
    /// An object with these entries.
    Entries(Box<Py>, Vec<(Py, Py)>),
    /// An object with these elements.
    Elements(Box<Py>, Vec<Py>),
    /// A value that is remembered under a number, or one that was.
    Memo(u8, Box<Py>),
    Again(u8),
    Floats(TensorData),
    /// A tensor of whole numbers.
    Longs(Vec<i64>, Vec<usize>),
    /// A tensor of doubles with one number.
    Double(f64),
}

pub fn text(text: &str) -> Py {
    Py::Text(text.to_owned())
}

/// A dictionary with texts as keys.
pub fn dict<const N: usize>(entries: [(&str, Py); N]) -> Py {
    Py::Dict(entries.map(|(key, value)| (text(key), value)).into())
}

pub fn global(module: &'static str, name: &'static str) -> Box<Py> {
    Box::new(Py::Global(module, name))
}

pub fn call<const N: usize>(module: &'static str, name: &'static str, arguments: [Py; N]) -> Py {
    Py::Call(global(module, name), arguments.into())
}

/// An object of a class with these attributes.
pub fn object<const N: usize>(
    module: &'static str,
    name: &'static str,
    attributes: [(&str, Py); N],
) -> Py {
    let made = Py::New(global(module, name), Vec::new());
    Py::State(Box::new(made), Box::new(dict(attributes)))
}

/// A pickle and the storages that it names.
pub struct Pickled {
    protocol: u8,
    bytes: Vec<u8>,
    /// Bytes and numbers of each.
    storages: Vec<(Vec<u8>, usize)>,
}

impl Pickled {
    pub fn new(protocol: u8, root: &Py) -> Self {
        let mut pickled = Self {
            protocol,
            bytes: vec![0x80, protocol],
            storages: Vec::new(),
        };
        pickled.value(root);
        pickled.op(b'.');
        pickled
    }

    /// Writes a file of PyTorch 1.6 and later, with these further entries.
    pub fn save(&self, path: &Path, further: &[&str]) {
        let mut zip = ZipWriter::new(std::fs::File::create(path).expect("a new file"));
        let method = zip::CompressionMethod::Stored;
        let options = SimpleFileOptions::default().compression_method(method);
        let mut add = |name: String, bytes: &[u8]| {
            zip.start_file(name, options).expect("a new entry");
            zip.write_all(bytes).expect("written");
        };
        add("archive/data.pkl".to_owned(), &self.bytes);
        for (index, (bytes, _)) in self.storages.iter().enumerate() {
            add(format!("archive/data/{index}"), bytes);
        }
        for name in further {
            add(format!("archive/{name}"), b"");
        }
        zip.finish().expect("written");
    }

    /// Writes a file of the format before PyTorch 1.6.
    pub fn save_legacy(&self, path: &Path) {
        let mut bytes = vec![0x80, 2, 0x8a, 10];
        bytes.extend([
            0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
        ]);
        bytes.extend(Self::new(2, &Py::Int(1001)).bytes);
        let system = dict([
            ("protocol_version", Py::Int(1001)),
            ("little_endian", Py::Bool(true)),
        ]);
        bytes.extend(Self::new(2, &system).bytes);
        bytes.extend(&self.bytes);
        let keys = (0..self.storages.len()).map(|index| text(&index.to_string()));
        bytes.extend(Self::new(2, &Py::List(keys.collect())).bytes);
        for (storage, count) in &self.storages {
            bytes.extend((*count as u64).to_le_bytes());
            bytes.extend(storage);
        }
        std::fs::write(path, bytes).expect("written");
    }

    fn op(&mut self, code: u8) {
        self.bytes.push(code);
    }

    fn text(&mut self, text: &str) {
        match (self.protocol, u8::try_from(text.len())) {
            (4.., Ok(length)) => self.bytes.extend([0x8c, length]),
            _ => {
                self.op(b'X');
                self.bytes.extend((text.len() as u32).to_le_bytes());
            }
        }
        self.bytes.extend(text.as_bytes());
    }

    fn global(&mut self, module: &str, name: &str) {
        if self.protocol < 4 {
            let module = module.replace("builtins", "__builtin__");
            self.bytes.extend(format!("c{module}\n{name}\n").bytes());
        } else {
            self.text(module);
            self.text(name);
            self.op(0x93);
        }
    }

    fn marked<'a>(&mut self, values: impl IntoIterator<Item = &'a Py>, code: u8) {
        self.op(b'(');
        values.into_iter().for_each(|value| self.value(value));
        self.op(code);
    }

    fn pairs(&mut self, entries: &[(Py, Py)]) {
        self.marked(entries.iter().flat_map(|(key, value)| [key, value]), b'u');
    }

    fn value(&mut self, value: &Py) {
        match value {
            Py::None => self.op(b'N'),
            Py::Bool(value) => self.op(if *value { 0x88 } else { 0x89 }),
            Py::Int(value) => {
                self.op(b'J');
                self.bytes.extend(value.to_le_bytes());
            }
            Py::Float(value) => {
                self.op(b'G');
                self.bytes.extend(value.to_be_bytes());
            }
            Py::Text(text) => self.text(text),
            Py::Bytes(bytes) => {
                self.bytes
                    .extend([b'C', u8::try_from(bytes.len()).expect("few")]);
                self.bytes.extend(bytes);
            }
            Py::List(values) => {
                self.op(b']');
                self.marked(values, b'e');
            }
            Py::Tuple(values) => self.marked(values, b't'),
            Py::Dict(entries) => {
                self.op(b'}');
                self.pairs(entries);
            }
            Py::Set(values) if self.protocol < 4 => {
                self.value(&call("builtins", "set", [Py::List(values.clone())]));
            }
            Py::Set(values) => {
                self.op(0x8f);
                self.marked(values, 0x90);
            }
            Py::Global(module, name) => self.global(module, name),
            Py::Memo(place, value) => {
                self.value(value);
                self.bytes.extend([b'q', *place]);
            }
            Py::Again(place) => self.bytes.extend([b'h', *place]),
            Py::Floats(data) => {
                let bytes = data.as_bytes().to_vec();
                self.tensor("FloatStorage", bytes, data.shape());
            }
            Py::Longs(values, shape) => {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                self.tensor("LongStorage", bytes.collect(), shape);
            }
            Py::Double(value) => self.tensor("DoubleStorage", value.to_le_bytes().into(), &[1]),
            _ => self.object(value),
        }
    }

    fn object(&mut self, value: &Py) {
        match value {
            Py::Call(function, arguments) => {
                self.value(function);
                self.marked(arguments, b't');
                self.op(b'R');
            }
            Py::New(class, arguments) => {
                self.value(class);
                self.marked(arguments, b't');
                self.op(0x81);
            }
            Py::State(object, state) => {
                self.value(object);
                self.value(state);
                self.op(b'b');
            }
            Py::Entries(object, entries) => {
                self.value(object);
                self.pairs(entries);
            }
            Py::Elements(object, values) => {
                self.value(object);
                self.marked(values, b'e');
            }
            _ => unreachable!("no object"),
        }
    }

    fn tensor(&mut self, class: &'static str, bytes: Vec<u8>, shape: &[usize]) {
        let count: usize = shape.iter().product();
        let key = self.storages.len().to_string();
        let sizes = |sizes: Vec<usize>| {
            let sizes = sizes
                .iter()
                .map(|size| Py::Int(i32::try_from(*size).expect("a size")));
            Py::Tuple(sizes.collect())
        };
        let axes = 0..shape.len();
        let stride = axes
            .map(|axis| shape[axis + 1..].iter().product())
            .collect();
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.op(b'(');
        self.op(b'(');
        self.text("storage");
        self.global("torch", class);
        self.text(&key);
        self.text("cpu");
        self.value(&Py::Int(i32::try_from(count).expect("a count")));
        // A part of a storage, in the old format: none.
        self.op(b'N');
        self.op(b't');
        self.op(b'Q');
        self.value(&Py::Int(0));
        self.value(&sizes(shape.to_vec()));
        self.value(&sizes(stride));
        self.value(&Py::Bool(false));
        self.value(&call("collections", "OrderedDict", []));
        self.op(b't');
        self.op(b'R');
        self.storages.push((bytes, count));
    }
}
