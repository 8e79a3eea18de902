//! Running statistics of a network, set aside.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// The running statistics of a network, kept while it is used for something that should not move
/// them: a method that differentiates the student runs it again on images that are not the batch.
#[derive(Default)]
pub(crate) struct Statistics {
    inside: Vec<bool>,
    values: HashMap<ParamId, Tensor<1>>,
}

impl Statistics {
    /// The statistics as they are now.
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        let mut statistics = Self::default();
        module.visit(&mut statistics);
        statistics
    }

    /// Puts them back. Clones of a module share their running statistics, so mapping a clone is
    /// enough.
    pub(crate) fn restore<M: Module>(mut self, module: &M) {
        module.clone().map(&mut self);
    }

    fn enter(&mut self, name: &str) {
        self.inside.push(name.starts_with("running_"));
    }

    fn exit(&mut self) {
        self.inside.pop();
    }

    fn is_statistic(&self) -> bool {
        self.inside.last().is_some_and(|inside| *inside)
    }
}

impl ModuleVisitor for Statistics {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.is_statistic() {
            self.values.insert(param.id, param.val().flatten(0, D - 1));
        }
    }
}

impl ModuleMapper for Statistics {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.values.remove(&param.id) {
            Some(value) if self.is_statistic() => {
                let shape = param.shape();
                param.map(|_| value.reshape(shape))
            }
            _ => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};
    use kd_models::{Architecture, Network};

    #[test]
    fn a_forward_pass_in_between_leaves_no_trace() {
        let device = Device::default().autodiff();
        let network = Architecture::by_name("resnet8")
            .expect("a network")
            .init(3, &device);
        let images = |scale: f64| {
            Tensor::<4>::random([2, 3, 8, 8], Distribution::Normal(0.0, scale), &device)
        };
        network.forward(images(1.0));
        let values = |network: &kd_models::AnyNetwork| -> Vec<f32> {
            let statistics = Statistics::of(network);
            let mut values: Vec<_> = statistics.values.into_iter().collect();
            values.sort_by_key(|(id, _)| *id);
            values
                .into_iter()
                .flat_map(|(_, value)| value.into_data().try_to_vec::<f32>().expect("f32"))
                .collect()
        };
        let before = values(&network);
        let statistics = Statistics::of(&network);
        network.forward(images(9.0));
        assert_ne!(values(&network), before);
        statistics.restore(&network);
        assert_eq!(values(&network), before);
    }
}
