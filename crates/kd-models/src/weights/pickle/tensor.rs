//! Tensors of a checkpoint: a shape on a part of a storage.

use burn::tensor::DType;

use super::{Heap, Node, Value};

/// The type of the numbers in a storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Element {
    /// Its name.
    pub(crate) name: &'static str,
    /// Bytes of a number.
    pub(crate) size: usize,
    /// What a network can take it as.
    pub(crate) float: Option<DType>,
}

impl Element {
    const fn float(name: &'static str, size: usize, float: DType) -> Self {
        let float = Some(float);
        Self { name, size, float }
    }

    const fn other(name: &'static str, size: usize) -> Self {
        let float = None;
        Self { name, size, float }
    }

    /// By the name of a storage's class, such as `FloatStorage`, or of a type, such as `float32`.
    fn by_name(name: &str) -> Self {
        match name.strip_suffix("Storage").unwrap_or(name) {
            "Double" | "float64" | "double" => Self::float("F64", 8, DType::F64),
            "Float" | "float32" | "float" => Self::float("F32", 4, DType::F32),
            "Half" | "float16" | "half" => Self::float("F16", 2, DType::F16),
            "BFloat16" | "bfloat16" => Self::float("BF16", 2, DType::BF16),
            "Long" | "int64" | "long" => Self::other("I64", 8),
            "Int" | "int32" | "int" => Self::other("I32", 4),
            "Short" | "int16" | "short" => Self::other("I16", 2),
            "Char" | "int8" => Self::other("I8", 1),
            "Byte" | "uint8" | "Untyped" => Self::other("U8", 1),
            "Bool" | "bool" => Self::other("Bool", 1),
            "ComplexFloat" | "complex64" => Self::other("complex64", 8),
            "ComplexDouble" | "complex128" => Self::other("complex128", 16),
            _ => Self::other("numbers of another type", 1),
        }
    }
}

/// Numbers in a row, in a file.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    /// Under what name the file has them.
    pub(crate) key: String,
    /// Their type.
    pub(crate) element: Element,
    /// How many they are.
    pub(crate) count: usize,
    /// Number at which the storage begins in the one of that name.
    pub(crate) start: usize,
}

impl Storage {
    /// By what a pickle says in place of a storage: `("storage", class, key, location, count)`, and
    /// in the old format a part of it, `(key, start, count)`, or nothing.
    pub(super) fn named(heap: &Heap, parts: &[Value]) -> Option<Self> {
        let [kind, class, key, _, count, part @ ..] = parts else {
            return None;
        };
        let class = match heap.node(class)? {
            Node::Global(class) => Element::by_name(&class.name),
            _ => return None,
        };
        let key = key.text().filter(|key| key.len() <= LONGEST_KEY)?;
        let whole = Self {
            key: key.to_owned(),
            element: class,
            count: count.size()?,
            start: 0,
        };
        if kind.text() != Some("storage") {
            return None;
        }
        match part.first().and_then(|part| heap.sequence(part)) {
            Some([_, start, count]) => Some(Self {
                start: start.size()?,
                count: count.size()?,
                ..whole
            }),
            _ => Some(whole),
        }
    }
}

/// A tensor whose numbers are in a storage.
#[derive(Clone, Debug)]
pub(crate) struct StoredTensor {
    /// Where the numbers are.
    pub(crate) storage: Storage,
    /// The first number of the tensor in its storage.
    pub(crate) offset: usize,
    /// Extents.
    pub(crate) shape: Vec<usize>,
    /// Numbers between neighbors of each axis.
    pub(crate) stride: Vec<usize>,
}

impl StoredTensor {
    /// By the arguments of `torch._utils._rebuild_tensor_v2`, and of its kin; `None` if they hold no
    /// storage, and what is wrong if they are no tensor.
    pub(super) fn rebuilt(
        heap: &Heap,
        arguments: &[Value],
        dtype: Option<&Value>,
    ) -> Option<Result<Self, String>> {
        let [storage, offset, shape, stride, ..] = arguments else {
            return None;
        };
        let Node::Storage(storage) = heap.node(storage)? else {
            return None;
        };
        let mut storage = Storage::clone(storage);
        if let Some(Node::Global(dtype)) = dtype.and_then(|dtype| heap.node(dtype)) {
            let element = Element::by_name(&dtype.name);
            // An untyped storage counts bytes.
            storage.count = storage.count.saturating_mul(storage.element.size) / element.size;
            storage.element = element;
        }
        let sizes = |value: &Value| -> Option<Vec<usize>> {
            heap.sequence(value)?.iter().map(Value::size).collect()
        };
        let parts = (offset.size(), sizes(shape), sizes(stride));
        let (Some(offset), Some(shape), Some(stride)) = parts else {
            return Some(Err("a tensor's shape is not whole numbers".to_owned()));
        };
        let tensor = Self {
            storage,
            offset,
            shape,
            stride,
        };
        Some(tensor.checked())
    }

    fn checked(self) -> Result<Self, String> {
        if self.shape.len() != self.stride.len() || self.shape.len() > MOST_AXES {
            return Err("a tensor's shape and strides do not belong together".to_owned());
        }
        // Nothing else bounds the extents of an empty tensor.
        let mut extents = self.shape.iter().filter(|extent| **extent > 0);
        let countable = extents.try_fold(1usize, |count, extent| count.checked_mul(*extent));
        if countable.is_none() {
            return Err("a tensor has more numbers than can be counted".to_owned());
        }
        match self.end() {
            Some(end) if end <= self.storage.count => Ok(self),
            _ => Err("a tensor reaches beyond the end of its storage".to_owned()),
        }
    }

    /// Number of numbers; the largest if they cannot be counted.
    pub(crate) fn len(&self) -> usize {
        let extents = self.shape.iter().copied();
        extents.fold(1, usize::saturating_mul)
    }

    /// One past its last number in the storage.
    pub(crate) fn end(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = self.offset;
        for (extent, stride) in self.shape.iter().zip(&self.stride) {
            last = (extent - 1).checked_mul(*stride)?.checked_add(last)?;
        }
        last.checked_add(1)
    }

    /// Whether its numbers lie in the storage in the order of the tensor, without gaps.
    pub(crate) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let axes = self.shape.iter().zip(&self.stride).rev();
        for (extent, stride) in axes.filter(|(extent, _)| **extent != 1) {
            if *stride != expected {
                return false;
            }
            expected = expected.saturating_mul(*extent);
        }
        true
    }
}

/// A storage is called by a number.
const LONGEST_KEY: usize = 256;

/// PyTorch's limit is 64; no parameter of a network has more than a few.
const MOST_AXES: usize = 64;
