//! The parameters of any module, by the keys of the reference.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Shape, Tensor};

use crate::{Case, float_data};

/// Where in a module a parameter is.
#[derive(Default)]
struct Place {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// The path without the names of enum variants.
    fn path(&self) -> String {
        let names = self.names.iter().zip(&self.containers);
        let names: Vec<_> = names
            .filter(|(_, container)| !container.starts_with("Enum"))
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(".")
    }

    /// Burn's linear layers hold the transpose of PyTorch's weight.
    fn transposed(&self) -> bool {
        self.containers
            .last()
            .is_some_and(|container| container == "Struct:Linear")
            && self.names.last().is_some_and(|name| name == "weight")
    }
}

/// A matrix `[rows, columns]`, row-major, transposed.
fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// Replaces all parameters and buffers of a module by the case's, found by the reference's key:
/// `key` makes it from the path in the module. Every parameter of the case whose key starts with
/// one of `prefixes` has to be found.
pub fn fill_parameters<M: Module>(
    case: &Case,
    module: M,
    prefixes: &[&str],
    key: impl Fn(&str) -> String,
) -> M {
    struct Filler<'a, K> {
        place: Place,
        case: &'a Case,
        entries: BTreeMap<String, Vec<f32>>,
        key: K,
    }

    impl<K: Fn(&str) -> String> ModuleMapper for Filler<'_, K> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let key = (self.key)(&self.place.path());
            let Some(values) = self.entries.remove(&key) else {
                panic!("{}: the case has no parameter `{key}`", self.case.name);
            };
            let shape: Shape = param.shape();
            assert_eq!(shape.num_elements(), values.len(), "{key} is {shape:?}");
            let values = if self.place.transposed() {
                transpose(&values, shape[0])
            } else {
                values
            };
            param.map(|old| {
                let device: Device = old.device();
                let tensor = Tensor::from_data(float_data(values, shape.to_vec()), &device);
                tensor.set_require_grad(old.is_require_grad())
            })
        }
    }

    let mut filler = Filler {
        place: Place::default(),
        case,
        entries: case
            .params()
            .into_iter()
            .map(|(key, _, values)| (key, values))
            .collect(),
        key,
    };
    let module = module.map(&mut filler);
    let left = filler.entries.keys();
    let left: Vec<_> = left
        .filter(|key| prefixes.iter().any(|prefix| key.starts_with(prefix)))
        .collect();
    assert!(
        left.is_empty(),
        "{}: not in the module: {left:?}",
        case.name
    );
    module
}

/// Calls `look` with the reference's key of every parameter and buffer, the values that `read`
/// makes of it (`None`: skip), in PyTorch's layout.
pub fn visit_parameters<M: Module>(
    module: &M,
    key: impl Fn(&str) -> String,
    read: impl ReadParameter,
    look: impl FnMut(&str, Vec<f32>),
) {
    struct Looker<K, R, L> {
        place: Place,
        key: K,
        read: R,
        look: L,
    }

    impl<K: Fn(&str) -> String, R: ReadParameter, L: FnMut(&str, Vec<f32>)> ModuleVisitor
        for Looker<K, R, L>
    {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let key = (self.key)(&self.place.path());
            if let Some(tensor) = self.read.read(&key, param.val()) {
                let columns = tensor.dims()[D - 1];
                let data = tensor.into_data().convert::<f32>();
                let values = data.try_to_vec().expect("f32");
                let values = if self.place.transposed() {
                    transpose(&values, columns)
                } else {
                    values
                };
                (self.look)(&key, values);
            }
        }
    }

    module.visit(&mut Looker {
        place: Place::default(),
        key,
        read,
        look,
    });
}

/// What is read of a parameter: a closure of any rank, which Rust's closures cannot be.
pub trait ReadParameter {
    /// The tensor to look at.
    fn read<const D: usize>(&self, key: &str, param: Tensor<D>) -> Option<Tensor<D>>;
}

/// Reads parameters, or their gradients (0 where there is none).
pub struct Read<'a>(pub Option<&'a Gradients>);

impl ReadParameter for Read<'_> {
    fn read<const D: usize>(&self, _key: &str, param: Tensor<D>) -> Option<Tensor<D>> {
        let Some(gradients) = self.0 else {
            return Some(param);
        };
        let zero = || param.clone().inner().zeros_like();
        Some(param.grad(gradients).unwrap_or_else(zero))
    }
}
