//! Networks in training are folded as they are in evaluation.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use kd_models::weights::{Form, state_dict};
use kd_models::{AnyNetwork, Architecture, Network};

#[test]
fn a_network_in_training_is_folded_for_evaluation_and_stays_as_it_is() {
    let device = Device::default();
    let normal = Distribution::Normal(0.0, 1.0);
    let images = Tensor::<4>::random([4, 3, 16, 16], normal, &device);
    for name in ["wrn_16_1", "represnet20", "repwrn_16_2", "shufflenetv2"] {
        let architecture = Architecture::by_name(name).expect("a known name");
        let training = architecture.init(10, &device.clone().autodiff());
        // Gives it running statistics of its own.
        training.forward(Tensor::from_inner(images.clone()));
        let before = entries(&training);
        let expected = training.valid().forward(images.clone());
        for form in [Form::Deployed, Form::Folded] {
            let folded = form.of(training.clone());
            let logits = folded.forward(images.clone());
            assert!(!logits.is_autodiff(), "{name} evaluates");
            let difference = (logits - expected.clone()).abs().max().into_scalar::<f32>();
            let largest = expected.clone().abs().max().into_scalar::<f32>();
            let name = format!("{name}, {}", form.name());
            assert!(
                difference <= 1e-5 * largest,
                "{name}: {difference} of {largest}"
            );
        }
        assert!(entries(&training) == before, "{name} is as it was");
        assert!(
            training
                .forward(Tensor::from_inner(images.clone()))
                .is_autodiff()
        );
    }
}

fn entries(network: &AnyNetwork) -> Vec<(String, burn::tensor::TensorData)> {
    state_dict(network).expect("readable parameters")
}
