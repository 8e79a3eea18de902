//! Many tensors as an input or an output of a backend extension.

use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Backend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind,
    ExtensionType,
};

/// Tensors of any shapes, in order.
#[derive(Clone, Debug)]
pub struct Many<B: Backend>(pub(crate) Vec<FloatTensor<B>>);

impl<B: Backend> ExtensionType<B> for Many<B> {
    type Target = Many<Dispatch>;

    fn map_to_dispatch<F>(self, map_kind: F, autodiff: DispatchAutodiffContext) -> Self::Target
    where
        F: Fn(BackendTensor<B>) -> DispatchTensorKind,
    {
        let wrap = |tensor| DispatchTensor {
            kind: map_kind(BackendTensor::Float(tensor)),
            autodiff,
        };
        Many(self.0.into_iter().map(wrap).collect())
    }

    fn map_from_dispatch<F>(target: Self::Target, unwrap_kind: F) -> Self
    where
        F: Fn(DispatchTensor) -> BackendTensor<B>,
    {
        let tensors = target.0.into_iter();
        Many(tensors.map(|tensor| unwrap_kind(tensor).float()).collect())
    }

    fn routing_tensor(target: &Self::Target) -> Option<&DispatchTensor> {
        target.0.first()
    }

    fn routing_float_tensor(target: &Self::Target) -> Option<&DispatchTensor> {
        target.0.first()
    }

    fn autodiff_context(target: &Self::Target) -> DispatchAutodiffContext {
        let contexts = target.0.iter().map(|tensor| tensor.autodiff);
        contexts.fold(DispatchAutodiffContext::Disabled, |all, context| {
            all.merge(context)
        })
    }
}

/// The same in the queue of fused operations.
#[cfg(feature = "cube")]
mod fusion {
    use std::vec::IntoIter;

    use burn::backend::Backend;
    use burn::backend::fusion::custom::{
        ExtensionMetadata, Float, FusionValueAdapter, HandleContainer, OutputTensor, TensorId,
        TensorIr, TensorSpec,
    };
    use burn::backend::fusion::{
        ExecutionError, Fusion, FusionBackend, FusionRuntime, FusionTensor,
    };

    use super::Many;

    type Handles<B> =
        HandleContainer<<<B as FusionBackend>::FusionRuntime as FusionRuntime>::FusionHandle>;

    impl<B: Backend> ExtensionMetadata for Many<B> {
        type Metadata = Vec<TensorSpec>;
        type Input = Vec<TensorIr>;
        type Output = Vec<OutputTensor>;
    }

    /// How one of them is handled.
    type One = Float;

    impl<B: FusionBackend> FusionValueAdapter<B> for Many<B> {
        type Metadata = Vec<TensorSpec>;
        type Input = Vec<TensorIr>;
        type Output = Vec<OutputTensor>;
        type Inner = Self;
        type Fused = Many<Fusion<B>>;

        fn to_metadata(value: &Self::Fused) -> Self::Metadata {
            let one = <One as FusionValueAdapter<B>>::to_metadata;
            value.0.iter().map(one).collect()
        }

        fn visit_fused_tensors(
            value: &Self::Fused,
            visit: &mut impl FnMut(&FusionTensor<B::FusionRuntime>),
        ) {
            for tensor in &value.0 {
                visit(tensor);
            }
        }

        fn tensor_count(meta: &Self::Metadata) -> usize {
            meta.len()
        }

        fn append_input_ir(value: Self::Fused, inputs: &mut Vec<TensorIr>) -> Self::Input {
            let one = |tensor| <One as FusionValueAdapter<B>>::append_input_ir(tensor, inputs);
            value.0.into_iter().map(one).collect()
        }

        fn resolve_inputs(input: &Self::Input, handles: &mut Handles<B>) -> Self::Inner {
            let one = |input| <One as FusionValueAdapter<B>>::resolve_inputs(input, handles);
            Many(input.iter().map(one).collect())
        }

        fn append_output_ir(
            meta: &Self::Metadata,
            out: &mut Vec<TensorIr>,
            create: &mut impl FnMut() -> TensorId,
        ) -> Self::Output {
            let one = |spec| <One as FusionValueAdapter<B>>::append_output_ir(spec, out, create);
            meta.iter().map(one).collect()
        }

        fn validate_outputs(
            value: &Self::Inner,
            output: &Self::Output,
            device: Option<&B::Device>,
        ) -> Result<(), ExecutionError> {
            for (value, output) in value.0.iter().zip(output) {
                <One as FusionValueAdapter<B>>::validate_outputs(value, output, device)?;
            }
            Ok(())
        }

        fn register_output_handles(
            value: Self::Inner,
            output: &Self::Output,
            handles: &mut Handles<B>,
        ) {
            for (value, output) in value.0.into_iter().zip(output) {
                <One as FusionValueAdapter<B>>::register_output_handles(value, output, handles);
            }
        }

        fn build_fused_output(
            meta: &Self::Metadata,
            tensors: &mut IntoIter<FusionTensor<B::FusionRuntime>>,
        ) -> Self::Fused {
            let one = |spec| <One as FusionValueAdapter<B>>::build_fused_output(spec, tensors);
            Many(meta.iter().map(one).collect())
        }
    }
}
