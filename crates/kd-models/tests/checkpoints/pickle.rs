//! Writing PyTorch checkpoints as `torch.save` would, or as it never would.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A Python value.
#[derive(Clone)]
pub enum Value {
    Int(i32),
    Text(String),
    Dict(Vec<(String, Value)>),
    /// A class or function.
    Global(&'static str, &'static str),
    /// What a call of a function with one text returns.
    Call(&'static str, &'static str, &'static str),
    /// A `torch.nn.Module` with parameters and modules.
    Module(Vec<(String, Value)>, Vec<(String, Value)>),
    Tensor(Tensor),
}

/// A tensor on a storage of its own.
#[derive(Clone)]
pub struct Tensor {
    /// Name of the storage's class, such as `FloatStorage`.
    pub storage: &'static str,
    pub bytes: Vec<u8>,
    /// Numbers in the storage.
    pub count: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

impl Tensor {
    /// A contiguous tensor.
    pub fn new(storage: &'static str, bytes: Vec<u8>, shape: Vec<usize>) -> Self {
        let stride = (0..shape.len())
            .map(|axis| shape[axis + 1..].iter().product())
            .collect();
        Self {
            storage,
            bytes,
            count: shape.iter().product(),
            shape,
            stride,
        }
    }
}

/// Writes a checkpoint of PyTorch 1.6 and later.
pub fn save(path: &Path, root: &Value) {
    let mut writer = Writer {
        pickle: vec![0x80, 2],
        storages: Vec::new(),
    };
    writer.value(root);
    writer.pickle.push(b'.');
    let mut zip = ZipWriter::new(File::create(path).expect("a new file"));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: String, bytes: &[u8]| {
        zip.start_file(name, options).expect("a new entry");
        zip.write_all(bytes).expect("written");
    };
    add("archive/data.pkl".to_owned(), &writer.pickle);
    for (index, bytes) in writer.storages.iter().enumerate() {
        add(format!("archive/data/{index}"), bytes);
    }
    add("archive/version".to_owned(), b"3\n");
    zip.finish().expect("written");
}

struct Writer {
    pickle: Vec<u8>,
    storages: Vec<Vec<u8>>,
}

impl Writer {
    fn op(&mut self, code: u8) {
        self.pickle.push(code);
    }

    fn text(&mut self, text: &str) {
        self.op(b'X');
        self.pickle.extend((text.len() as u32).to_le_bytes());
        self.pickle.extend(text.as_bytes());
    }

    fn int(&mut self, value: i32) {
        self.op(b'J');
        self.pickle.extend(value.to_le_bytes());
    }

    fn global(&mut self, module: &str, name: &str) {
        self.pickle.extend(format!("c{module}\n{name}\n").bytes());
    }

    fn dict(&mut self, entries: &[(String, Value)]) {
        self.op(b'}');
        self.op(b'(');
        for (key, value) in entries {
            self.text(key);
            self.value(value);
        }
        self.op(b'u');
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.op(b'(');
        for size in sizes {
            self.int(i32::try_from(*size).expect("a size"));
        }
        self.op(b't');
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Int(value) => self.int(*value),
            Value::Text(text) => self.text(text),
            Value::Dict(entries) => self.dict(entries),
            Value::Global(module, name) => self.global(module, name),
            Value::Call(module, name, argument) => {
                self.global(module, name);
                self.op(b'(');
                self.text(argument);
                self.op(b't');
                self.op(b'R');
            }
            Value::Module(parameters, modules) => {
                self.global("models", "Net");
                self.op(b')');
                self.op(0x81);
                let table = |entries: &[(String, Value)]| Value::Dict(entries.to_vec());
                self.dict(&[
                    ("training".to_owned(), Value::Int(0)),
                    ("_parameters".to_owned(), table(parameters)),
                    ("_buffers".to_owned(), table(&[])),
                    ("_modules".to_owned(), table(modules)),
                ]);
                self.op(b'b');
            }
            Value::Tensor(tensor) => self.tensor(tensor),
        }
    }

    fn tensor(&mut self, tensor: &Tensor) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.op(b'(');
        self.op(b'(');
        self.text("storage");
        self.global("torch", tensor.storage);
        self.text(&self.storages.len().to_string());
        self.text("cpu");
        self.int(i32::try_from(tensor.count).expect("a count"));
        self.op(b't');
        self.op(b'Q');
        self.int(0);
        self.sizes(&tensor.shape);
        self.sizes(&tensor.stride);
        // No gradient, no hooks.
        self.op(0x89);
        self.op(b'}');
        self.op(b't');
        self.op(b'R');
        self.storages.push(tensor.bytes.clone());
    }
}
