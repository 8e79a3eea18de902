//! The memory of what no optimizer trains.

use std::collections::{HashMap, VecDeque};

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use kd_kernels::optim::{Tensors, assign};

/// The memory of a tensor of any rank.
pub(super) type Place = FloatTensor<Dispatch>;

/// The memory of the tensors of a module that are not trained: running statistics, banks of a loss,
/// the parameters of an average.
#[derive(Default)]
pub(crate) struct Places {
    by_id: HashMap<ParamId, Place>,
    path: Vec<String>,
    /// What is left out, because no step changes it.
    fixed: Option<&'static str>,
}

impl Places {
    /// Of a module before a step, without the part at a path, of which a step changes nothing.
    pub(crate) fn of<M: Module>(module: &M, fixed: Option<&'static str>) -> Self {
        let mut places = Self {
            fixed,
            ..Self::default()
        };
        module.visit(&mut places);
        places
    }

    /// Brings what the step made of these tensors to where they were.
    pub(crate) fn keep<M: Module>(self, module: M) -> M {
        let mut made = Made {
            places: self.by_id,
            order: Vec::new(),
            to: Tensors::default(),
            from: Tensors::default(),
        };
        module.visit(&mut made);
        let kept = assign(made.to, made.from);
        module.map(&mut Kept(made.order.into(), kept))
    }
}

/// Places and what is to come there, in the order of a module.
struct Made {
    places: HashMap<ParamId, Place>,
    order: Vec<ParamId>,
    to: Tensors,
    from: Tensors,
}

impl ModuleVisitor for Made {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(place) = self.places.remove(&param.id) {
            self.order.push(param.id);
            self.to.push(Tensor::<D>::from_dispatch(place));
            self.from.push(param.val().inner());
        }
    }
}

/// Tensors for the parameters of these identities, in the order of a module.
pub(super) struct Kept(pub(super) VecDeque<ParamId>, pub(super) Tensors);

impl ModuleMapper for Kept {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let next = self.0.pop_front_if(|id| *id == param.id);
        match next.and_then(|_| self.1.pop::<D>()) {
            Some(kept) => param.map(|value| like(&value, kept)),
            None => param,
        }
    }
}

impl ModuleVisitor for Places {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let path = self.path.join(".");
        let is_fixed = self.fixed.is_some_and(|fixed| path.starts_with(fixed));
        if !value.is_require_grad() && !is_fixed {
            self.by_id.insert(param.id, value.inner().into_dispatch());
        }
    }
}

/// A plain tensor with the autodiff of another.
pub(super) fn like<const D: usize>(model: &Tensor<D>, plain: Tensor<D>) -> Tensor<D> {
    match (model.is_autodiff(), model.is_require_grad()) {
        (true, true) => plain.autodiff().require_grad(),
        (true, false) => plain.autodiff(),
        (false, _) => plain,
    }
}
