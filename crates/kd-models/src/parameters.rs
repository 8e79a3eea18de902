//! What a network wants to be loaded with.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::PytorchKeys;

/// Keys and shapes of a network's parameters and buffers as PyTorch has them, in the order of the
/// module. No parameter is drawn for it.
pub(crate) fn expected<N: PytorchKeys>(network: &N) -> Vec<Expected> {
    let mut visitor = Shapes::default();
    network.visit(&mut visitor);
    let mut found = visitor.found;
    for entry in &mut found {
        entry.key = network.pytorch_key(&entry.path);
    }
    found
}

/// Paths of a module's parameters and buffers, without the names of enum variants.
pub(crate) fn paths<M: Module>(module: &M) -> Vec<String> {
    let mut visitor = Shapes::default();
    module.visit(&mut visitor);
    visitor.found.into_iter().map(|entry| entry.path).collect()
}

/// One parameter or buffer.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The path in the module, without the names of enum variants.
    pub(crate) path: String,
    /// PyTorch's key.
    pub(crate) key: String,
    /// PyTorch's shape.
    pub(crate) shape: Vec<usize>,
    /// Whether it is a running statistic and not trained.
    pub(crate) buffer: bool,
}

#[derive(Default)]
struct Shapes {
    /// Name and container of each module on the way.
    place: Vec<(String, String)>,
    found: Vec<Expected>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut shape = param.lazy_shape().to_vec();
        let Some((name, container)) = self.place.last() else {
            return;
        };
        // Burn's linear layers hold the transpose of PyTorch's weight.
        if container == "Struct:Linear" && name == "weight" {
            shape.reverse();
        }
        let path: Vec<&str> = self
            .place
            .iter()
            .filter(|(_, container)| !container.starts_with("Enum:"))
            .map(|(name, _)| name.as_str())
            .collect();
        self.found.push(Expected {
            path: path.join("."),
            key: String::new(),
            shape,
            buffer: name.starts_with("running_"),
        });
    }
}

/// Number of trainable parameters: running statistics are not counted.
pub fn count_parameters<M: Module>(module: &M) -> usize {
    let mut visitor = Shapes::default();
    module.visit(&mut visitor);
    let trained = visitor.found.iter().filter(|entry| !entry.buffer);
    trained
        .map(|entry| entry.shape.iter().product::<usize>())
        .sum()
}

/// The network with all parameters and buffers zero, for runs that are about shapes: nothing is
/// drawn.
pub(crate) fn zeroed<M: Module>(module: M) -> M {
    struct Zeros;

    impl ModuleMapper for Zeros {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let zeros = Tensor::zeros(param.lazy_shape(), &param.lazy_device());
            Param::initialized(param.id, zeros)
        }
    }

    module.map(&mut Zeros)
}
