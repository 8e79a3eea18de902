//! Initial weights in a fixed order.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::host;

/// Draws the initial weights of a module now, in its order, by the generator of the [`host`]: then
/// they are the same on every device. Burn draws each when it is first used, on its device, so that
/// they would depend on both.
pub fn initialize<M: Module>(module: M) -> M {
    struct Initialize;

    impl ModuleMapper for Initialize {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if param.is_initialized() {
                return param;
            }
            let device = param.lazy_device();
            // A parameter that is not drawn yet is drawn where it is moved to.
            let param = param.to_device(&host());
            param.val();
            param.fork(&device)
        }
    }

    module.map(&mut Initialize)
}
