//! SGD that writes where parameters and velocities are.

use std::collections::{HashMap, VecDeque};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use kd_kernels::optim::{Sgd, Tensors, sgd};

use super::places::{Kept, Place};
use super::snapshot::{self, Copies};
use super::velocities;
use crate::task::{Groups, OptimizerConfig, OptimizerName};

/// Rates in the order in which a step takes them: student, router, teacher.
pub(crate) const RATES: usize = 3;

/// SGD as Burn's, to the last digit, but that parameters and velocities stay in their memory and that
/// the learning rates are on the device.
#[derive(Clone)]
pub(crate) struct InPlaceSgd {
    config: OptimizerConfig,
    router_decay: f64,
    groups: Groups,
    velocities: HashMap<ParamId, Place>,
    rates: Option<Tensor<1>>,
}

impl InPlaceSgd {
    /// An optimizer that goes on where Burn's is, for a resolved configuration; `None` if it is not
    /// SGD.
    pub(crate) fn new<M: Module>(
        config: &OptimizerConfig,
        router_decay: f64,
        groups: Groups,
        (module, optimizer): (&M, &ModuleOptimizer),
    ) -> Option<Self> {
        (config.name == OptimizerName::Sgd).then(|| Self {
            config: config.clone(),
            router_decay,
            groups,
            velocities: velocities::of(optimizer, module),
            rates: None,
        })
    }

    /// Sets the rates `[3]` of the steps that follow: of student, router and teacher, on the plain
    /// device.
    pub(crate) fn set_rates(&mut self, rates: Tensor<1>) {
        self.rates = Some(rates);
    }

    /// Burn's optimizer with the velocities of this one, to be saved.
    pub(crate) fn as_burn<M: Module>(&self, module: &M) -> ModuleOptimizer {
        velocities::to_burn(&self.velocities, module)
    }

    /// Copies of the velocities.
    pub(crate) fn copies<M: Module>(&self, module: &M) -> Copies {
        snapshot::velocities(module, &self.velocities)
    }

    /// Brings the velocities back to copies of them.
    pub(crate) fn restore<M: Module>(&mut self, module: &M, copies: Copies, in_place: bool) {
        let places = std::mem::take(&mut self.velocities);
        self.velocities = snapshot::restore_velocities(module, copies, places, in_place);
    }

    /// One step: one call for each rate.
    ///
    /// # Panics
    ///
    /// If no rates were set.
    #[track_caller]
    pub(crate) fn update<M: Module>(&mut self, module: M, gradients: GradientsParams) -> M {
        let Some(rates) = self.rates.clone() else {
            panic!("a step on the device needs rates there: call `set_rates`");
        };
        let mut collect = Collect {
            optimizer: self,
            gradients,
            path: Vec::new(),
            groups: Default::default(),
        };
        module.visit(&mut collect);
        let groups = collect.groups.into_iter().enumerate();
        groups.fold(module, |module, (index, group)| {
            let settings = Sgd {
                momentum: self.config.momentum.unwrap_or(0.0),
                nesterov: self.config.nesterov,
                decays: group.decays,
            };
            let rate = rates.clone().narrow(0, index, 1);
            let (parameters, velocities) = sgd(
                group.parameters,
                group.velocities,
                group.gradients,
                rate,
                settings,
            );
            self.take_velocities(&module, &group.ids, velocities);
            module.map(&mut Kept(group.ids.into(), parameters))
        })
    }

    /// Takes the velocities of these parameters, in the order of their module.
    fn take_velocities<M: Module>(&mut self, module: &M, ids: &[ParamId], velocities: Tensors) {
        struct Take<'a>(&'a mut HashMap<ParamId, Place>, VecDeque<ParamId>, Tensors);

        impl ModuleVisitor for Take<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let next = self.1.pop_front_if(|id| *id == param.id);
                if let Some(velocity) = next.and_then(|_| self.2.pop::<D>()) {
                    self.0.insert(param.id, velocity.into_dispatch());
                }
            }
        }

        let ids = ids.iter().copied().collect();
        module.visit(&mut Take(&mut self.velocities, ids, velocities));
    }

    /// The weight decay of a parameter of `rank` axes: the last group that it is in counts.
    fn decay(&self, id: &ParamId, path: &str, rank: usize) -> f64 {
        if !self.config.decay_norms_and_biases && rank == 1 {
            return 0.0;
        }
        match self.groups.router.matches(id, Some(path)) {
            true => self.router_decay,
            false => self.config.weight_decay.unwrap_or(0.0),
        }
    }

    /// The place of a parameter's rate among all.
    fn rate(&self, id: &ParamId, path: &str) -> usize {
        if self.groups.teacher.matches(id, Some(path)) {
            return 2;
        }
        usize::from(self.groups.router.matches(id, Some(path)))
    }
}

/// The parameters of a rate, with what belongs to each, in the order of their module.
#[derive(Default)]
struct Group {
    ids: Vec<ParamId>,
    parameters: Tensors,
    velocities: Tensors,
    gradients: Tensors,
    decays: Vec<f64>,
}

struct Collect<'a> {
    optimizer: &'a mut InPlaceSgd,
    gradients: GradientsParams,
    path: Vec<String>,
    groups: [Group; RATES],
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return;
        };
        let (id, path) = (param.id, self.path.join("."));
        let gradient = match self.optimizer.config.clip_value {
            Some(value) => gradient.clamp(-value as f32, value as f32),
            None => gradient,
        };
        let parameter = param.val().inner();
        // A velocity of 0 makes the first step that of the gradient itself.
        let velocity = match self.optimizer.velocities.remove(&id) {
            Some(place) => Tensor::<D>::from_dispatch(place),
            None => parameter.zeros_like(),
        };
        let group = &mut self.groups[self.optimizer.rate(&id, &path)];
        group.ids.push(id);
        group.parameters.push(parameter);
        group.velocities.push(velocity);
        group.gradients.push(gradient);
        group.decays.push(self.optimizer.decay(&id, &path, D));
    }
}
