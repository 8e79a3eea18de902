//! Velocities in the form in which Burn's SGD records them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{
    GradientsParams, LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource,
    join_path,
};
use burn::tensor::{Device, Tensor, TensorData};

use super::places::Place;

/// The velocities of an optimizer of Burn's for a module.
pub(super) fn of<M: Module>(optimizer: &ModuleOptimizer, module: &M) -> HashMap<ParamId, Place> {
    let record = optimizer.to_record();
    if record.is_empty() {
        return HashMap::new();
    }
    let exchange = Exchange::default();
    let mut taker = ModuleOptimizer::from(exchange.clone()).load_record(record);
    let mut trained = Trained::default();
    module.visit(&mut trained);
    taker.step(0.0, module.clone(), trained.values);
    let found = exchange
        .found
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let found = trained.ids.into_iter().zip(found.iter());
    found
        .filter_map(|(id, velocity)| Some((id, velocity.clone()?)))
        .collect()
}

/// An optimizer that has these velocities, and is good for nothing but to be saved.
pub(super) fn to_burn<M: Module>(
    velocities: &HashMap<ParamId, Place>,
    module: &M,
) -> ModuleOptimizer {
    struct Register<'a>(&'a HashMap<ParamId, Place>, GradientsParams);

    impl ModuleVisitor for Register<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(place) = self.0.get(&param.id) {
                let velocity = Tensor::<D>::from_dispatch(place.clone());
                self.1.register(param.id, velocity);
            }
        }
    }

    let mut register = Register(velocities, GradientsParams::new());
    module.visit(&mut register);
    let mut optimizer = ModuleOptimizer::from(Exchange::default());
    optimizer.step(0.0, module.clone(), register.1);
    optimizer
}

/// The parameters of a module that are trained, in its order; each stands for its own gradient, so
/// that an optimizer looks at all of them.
#[derive(Default)]
struct Trained {
    ids: Vec<ParamId>,
    values: GradientsParams,
}

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.ids.push(param.id);
            self.values.register(param.id, value.inner());
        }
    }
}

/// An optimizer that changes no parameter: it takes the gradient for the velocity, and hands out the
/// velocities that it was loaded with, in the order of the parameters.
#[derive(Clone, Default)]
struct Exchange {
    found: Arc<Mutex<Vec<Option<Place>>>>,
}

/// What `burn::optim::SgdState` is, with a velocity that can be read. What comes from a record waits for
/// the device of its parameter: Burn reads records for its default device, which nobody asked for.
#[derive(Clone)]
enum Velocity<const D: usize> {
    There(Tensor<D>),
    Recorded(TensorData),
}

impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let data = match self {
            Self::There(velocity) => velocity.clone().into_data(),
            Self::Recorded(data) => data.clone(),
        };
        out.push_tensor(&join_path(prefix, "momentum"), "velocity", data);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _device: &Device) -> Option<Self> {
        let data = source.take_tensor(&join_path(prefix, "momentum"), "velocity")?;
        Some(Self::Recorded(data))
    }
}

impl Optimizer for Exchange {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        _rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let velocity = state.map(|velocity| match velocity {
            Velocity::There(velocity) => velocity,
            Velocity::Recorded(data) => Tensor::from_data(data, &parameter.device()),
        });
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push(velocity.map(Tensor::into_dispatch));
        (parameter, Some(Velocity::There(gradient)))
    }

    fn to_device<const D: usize>(state: Velocity<D>, device: &Device) -> Velocity<D> {
        match state {
            Velocity::There(velocity) => Velocity::There(velocity.to_device(device)),
            recorded => recorded,
        }
    }
}
