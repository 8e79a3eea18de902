//! Initial weights in a fixed order.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Draws the initial weights of a module now, in its order. Burn draws each when it is first used,
/// so that they would depend on what is used first.
pub fn initialize<M: Module>(module: &M) {
    struct Initialize;

    impl ModuleVisitor for Initialize {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }

    module.visit(&mut Initialize);
}
