//! All gradients of a module as one tensor.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The gradients of a module, one after the other in the order of its parameters.
pub(super) struct Flat {
    /// All numbers `[n]`, on the plain device.
    pub(super) values: Tensor<1>,
    /// The parameters that have a gradient.
    members: Vec<ParamId>,
}

impl Flat {
    /// Takes the gradients of a module's parameters.
    ///
    /// # Panics
    ///
    /// If there is no gradient.
    pub(super) fn of<M: Module>(module: &M, gradients: GradientsParams) -> Self {
        let mut collect = Collect {
            gradients,
            pieces: Vec::new(),
            members: Vec::new(),
        };
        module.visit(&mut collect);
        Self {
            values: Tensor::cat(collect.pieces, 0),
            members: collect.members,
        }
    }

    /// The gradients by parameter, of the module that they were taken from or of a copy.
    pub(super) fn gradients<M: Module>(self, module: &M) -> GradientsParams {
        let mut hand_out = HandOut {
            flat: self,
            members: 0,
            at: 0,
            gradients: GradientsParams::new(),
        };
        module.visit(&mut hand_out);
        hand_out.gradients
    }
}

struct Collect {
    gradients: GradientsParams,
    pieces: Vec<Tensor<1>>,
    members: Vec<ParamId>,
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.pieces.push(gradient.flatten(0, D - 1));
            self.members.push(param.id);
        }
    }
}

struct HandOut {
    flat: Flat,
    /// Members that have theirs.
    members: usize,
    /// Numbers that are handed out.
    at: usize,
    gradients: GradientsParams,
}

impl ModuleVisitor for HandOut {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.flat.members.get(self.members) != Some(&param.id) {
            return;
        }
        let shape = param.val().dims();
        let count = shape.iter().product::<usize>();
        let piece = self.flat.values.clone().slice(self.at..self.at + count);
        self.gradients.register::<D>(param.id, piece.reshape(shape));
        self.members += 1;
        self.at += count;
    }
}
