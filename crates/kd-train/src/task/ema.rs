//! An exponential moving average of a network's weights.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// An average of a network's parameters and running statistics over the steps of training,
/// `average ← decay · average + (1 − decay) · value`, which starts at the first values.
///
/// It is kept in the evaluation form of the network, on the plain device.
#[derive(Clone, Debug)]
pub struct Ema<S> {
    /// The average.
    pub network: S,
    /// How much of the average stays in a step.
    pub decay: f64,
}

impl<S: Module> Ema<S> {
    /// Starts at a network's values.
    pub fn new(network: &S, decay: f64) -> Self {
        // Maps to tensors of its own: a clone would share the running statistics.
        let mut average = Average {
            decay: 0.0,
            path: Vec::new(),
            values: collect(network),
        };
        Self {
            network: network.valid().map(&mut average),
            decay,
        }
    }

    /// Adds the values of a step.
    pub fn update(self, network: &S) -> Self {
        let mut average = Average {
            decay: self.decay,
            path: Vec::new(),
            values: collect(network),
        };
        Self {
            network: self.network.map(&mut average),
            ..self
        }
    }
}

/// The values of a network by path: clones share the identities of parameters, records change them.
fn collect<M: Module>(module: &M) -> HashMap<String, Tensor<1>> {
    struct Collect {
        path: Vec<String>,
        values: HashMap<String, Tensor<1>>,
    }

    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().inner();
            let length = value.shape().num_elements();
            self.values
                .insert(self.path.join("."), value.reshape([length]));
        }
    }

    let mut collect = Collect {
        path: Vec::new(),
        values: HashMap::new(),
    };
    module.visit(&mut collect);
    collect.values
}

struct Average {
    decay: f64,
    path: Vec<String>,
    values: HashMap<String, Tensor<1>>,
}

impl ModuleMapper for Average {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(value) = self.values.remove(&self.path.join(".")) else {
            return param;
        };
        let decay = self.decay;
        param.map(|average| {
            let value = value.reshape(average.shape());
            average * decay + value * (1.0 - decay)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};
    use kd_models::{Architecture, Network};

    #[test]
    fn it_follows_the_values_and_leaves_the_network_alone() {
        let device = Device::default().autodiff();
        let network = Architecture::by_name("resnet8")
            .expect("a network")
            .init(3, &device);
        let images = Tensor::<4>::random([2, 3, 8, 8], Distribution::Default, &device);
        let values = |network: &kd_models::AnyNetwork| {
            let mut values: Vec<_> = collect(network)
                .into_iter()
                .map(|(path, value)| (path, value.into_data().try_to_vec::<f32>().expect("f32")))
                .collect();
            values.sort_by(|a, b| a.0.cmp(&b.0));
            values
        };
        let start = values(&network);
        let ema = Ema::new(&network, 0.75);
        assert_eq!(values(&ema.network), start);
        // Only the running statistics move.
        network.forward(images);
        let moved = values(&network);
        assert_ne!(moved, start);
        assert_eq!(values(&ema.network), start);
        let ema = ema.update(&network);
        for (((path, before), (_, now)), (_, average)) in
            start.iter().zip(&moved).zip(&values(&ema.network))
        {
            for ((before, now), average) in before.iter().zip(now).zip(average) {
                let expected = 0.75 * before + 0.25 * now;
                assert!((average - expected).abs() < 1e-5, "{path}");
            }
        }
        assert_eq!(values(&network), moved);
    }
}
