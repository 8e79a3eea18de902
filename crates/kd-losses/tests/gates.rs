//! A gate is the static form of "gather, then compute": proved for every method.
//!
//! In f64, where rounding hides nothing and turns no rectified value on or off; the parity tests
//! see to f32.

mod common;

use burn::tensor::{Device, Tensor};
use common::{Scene, copy, error, in_f64, scalar, visit};
use kd_losses::{Gate, Method};
use proptest::prelude::*;

const BATCH: usize = 6;

/// Methods that draw random numbers in a step, so that two evaluations differ: they are tested
/// beside their code, where the numbers can be given.
const RANDOM: &[&str] = &["crd", "bss"];

/// Methods of which a gate touches only a part (KDrefine's cross-entropy is over all samples): they
/// are tested beside their code.
const OTHERS: &[&str] = &["kdrefine"];

/// Largest difference, relative to the value or to the largest gradient.
const TOLERANCE: f64 = 1e-6;

/// The same for methods that approximate a second derivative by differences of logits.
const APPROXIMATE: f64 = 1e-4;

fn methods() -> Vec<Method> {
    let mut methods = Method::distilling();
    methods.retain(|method| !RANDOM.contains(&method.name()) && !OTHERS.contains(&method.name()));
    // Conventions with other layers, margins or averages than the default ones.
    methods.extend(
        [
            r#"{"name": "ft", "convention": "zoo"}"#,
            r#"{"name": "ab", "convention": "zoo"}"#,
            r#"{"name": "ofd", "convention": "mdistiller"}"#,
            r#"{"name": "vid", "convention": "zoo"}"#,
            r#"{"name": "at", "convention": "zoo"}"#,
        ]
        .map(|json| serde_json::from_str(json).expect("a method")),
    );
    methods
}

fn gate(chosen: &[bool]) -> Gate {
    let entries: Vec<f32> = chosen.iter().map(|chosen| f32::from(*chosen)).collect();
    Gate::new(Tensor::from_floats(&*entries, &Device::default()))
}

fn check(method: &Method, chosen: &[bool], seed: u64) {
    in_f64();
    let scene = Scene::new(method, BATCH, seed);
    let loss = scene.init(method);
    let (gated_loss, gathered_loss) = (copy(&loss), copy(&loss));
    let name = method.name();
    let tolerance = match name {
        "sobolev" | "lwm" => APPROXIMATE,
        _ => TOLERANCE,
    };

    let gated = scene.leaves();
    let gates = [gate(chosen)];
    let term = gated.term(&gated_loss, &gates);
    assert_eq!(term.dims(), [1], "{name}");
    let grads = term.backward();
    let (value, gradients) = (scalar(term), gated.gradients(&gated_loss, &grads));
    let rows: Vec<i32> = (0..BATCH as i32)
        .filter(|row| chosen[*row as usize])
        .collect();
    if rows.is_empty() {
        assert_eq!(value, 0.0, "{name}");
        for gradient in gradients {
            assert!(gradient.iter().all(|value| *value == 0.0), "{name}");
        }
    } else {
        let leaves = scene.leaves();
        let gathered = leaves.rows(&rows);
        let term = gathered.term(&gathered_loss, &[]);
        let grads = term.backward();
        let expected = scalar(term);
        let difference = (value - expected).abs() / expected.abs().max(1e-3);
        assert!(
            difference < TOLERANCE,
            "{name} {chosen:?}: {value}, gathered {expected}"
        );
        let wanted = leaves.gradients(&gathered_loss, &grads);
        // One scale for all gradients of a method: those that are 0 up to rounding have none.
        let scale = wanted
            .iter()
            .flatten()
            .fold(1e-6, |scale: f64, value| scale.max(value.abs()));
        for (at, (found, wanted)) in gradients.iter().zip(&wanted).enumerate() {
            let error = error(found, wanted, scale * 1e-2);
            assert!(
                error < tolerance,
                "{name} {chosen:?}: gradient {at} differs by {error:.1e}"
            );
        }
    }
    let (mut found, mut wanted) = (Vec::new(), Vec::new());
    visit(&gated_loss, &mut |values| found.push(values));
    visit(&gathered_loss, &mut |values| wanted.push(values));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!(
            error(found, wanted, 1e-3) < TOLERANCE,
            "{name} {chosen:?}: statistics differ"
        );
    }
}

/// With one gate for all spots, the scaled term is the term times the share; all samples scale by 1.
#[test]
fn a_scaled_term_is_multiplied_by_the_share() {
    in_f64();
    for method in methods() {
        let scene = Scene::new(&method, BATCH, 7);
        let loss = scene.init(&method);
        let chosen = [true, false, true, true, false, false];
        for (gates, share) in [(vec![gate(&chosen)], 0.5), (Vec::new(), 1.0)] {
            let term = |scaled| {
                let (leaves, loss) = (scene.leaves(), copy(&loss));
                scalar(leaves.term_scaled(&loss, &gates, scaled))
            };
            let (plain, scaled) = (term(false), term(true));
            let difference = (scaled - share * plain).abs() / plain.abs().max(1e-3);
            let name = method.name();
            assert!(difference < TOLERANCE, "{name}: {scaled} of {plain}");
        }
    }
}

#[test]
fn all_none_and_one() {
    for method in methods() {
        check(&method, &[true; BATCH], 1);
        check(&method, &[false; BATCH], 2);
        for row in [0, BATCH - 1] {
            let mut one = [false; BATCH];
            one[row] = true;
            check(&method, &one, 3);
        }
    }
}

/// Each spot has its own gate: with all others closed, it gives its own part, and the parts of
/// all spots add up.
#[test]
fn spots_are_independent_and_add_up() {
    in_f64();
    for method in methods() {
        let scene = Scene::new(&method, BATCH, 4);
        let loss = scene.init(&method);
        let spots = loss.requirements.spots(3);
        if spots == 1 {
            continue;
        }
        let open = [
            [true, false, true, true, false, true],
            [false, true, true, false, true, true],
        ];
        let gates: Vec<Gate> = (0..spots).map(|spot| gate(&open[spot % 2])).collect();
        let value = |gates: &[Gate]| scalar(scene.leaves().term(&copy(&loss), gates));
        let parts: Vec<f64> = (0..spots)
            .map(|spot| {
                let mut alone = vec![gate(&[false; BATCH]); spots];
                alone[spot] = gates[spot].clone();
                value(&alone)
            })
            .collect();
        let (all, sum) = (value(&gates), parts.iter().sum::<f64>());
        let name = method.name();
        assert!(
            (all - sum).abs() < TOLERANCE * all.abs().max(1e-3),
            "{name}: {all}, parts {parts:?}"
        );
        assert!(
            parts.iter().filter(|part| **part != 0.0).count() > 1,
            "{name}: {parts:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_selection_equals_gathering(
        chosen in prop::collection::vec(any::<bool>(), BATCH),
        seed in 0u64..1000,
    ) {
        for method in methods() {
            check(&method, &chosen, seed);
        }
    }
}
