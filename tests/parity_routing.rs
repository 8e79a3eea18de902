//! The routing of a step against the reference values: policy logits, choices, the grafted network's
//! logits, the routing objective, and the gradients of policy and adapters.

use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use kd_losses::cross_entropy;
use kd_models::weights::load_state_dict;
use kd_models::{AnyNetwork, Architecture, Feature, Network, Repository};
use kd_spot::{
    Cuts, Graft, GraftConfig, Policy, PolicyConfig, hard_gumbel_softmax, routing_objective,
};
use kd_tests::{
    Case, ReadParameter, assert_close, assert_scalar, cases, devices, fill_parameters,
    visit_parameters,
};
use serde_json::Value;

/// Small sets for the slow `ndarray` backend.
const ON_NDARRAY: &[&str] = &["sakd_at_mix1", "sakd_rev_fitnet_homo", "sakd_pkt_free"];

/// Policy and adapters.
#[derive(Module, Debug)]
struct Agent {
    policy: Policy,
    graft: Graft,
}

fn network(case: &Case, name: &str, device: &Device) -> AnyNetwork {
    let architecture = case.manifest["hyper"][name].as_str().expect("a name");
    let architecture = Architecture::by_name_in(Repository::Sakd, architecture).expect("known");
    let classes = case.hyper("num_classes").expect("a number") as usize;
    let prefix = format!("{name}.");
    let entries = case
        .params()
        .into_iter()
        .filter_map(|(key, shape, values)| {
            let key = key.strip_prefix(&prefix)?.to_owned();
            Some((key, TensorData::new(values, shape)))
        });
    load_state_dict(architecture.init(classes, device), entries)
        .unwrap_or_else(|problems| panic!("{}: {}", case.name, problems.join("\n")))
}

/// The reference's key of a parameter of the agent.
fn key(path: &str, numbered: bool) -> String {
    let mut parts: Vec<&str> = path.split('.').collect();
    if parts[0] == "policy" {
        return path.to_owned();
    }
    let list = match parts[1] {
        "hints" => "hint",
        "anti_hints" => "anti_hint",
        other => panic!("{other} in {path}"),
    };
    // A vector's bridge is a bare layer here and a module with a layer there.
    let layer = if numbered { "" } else { ".net" };
    let layer = if parts.len() > 4 { "" } else { layer };
    let place = match numbered {
        true => format!("{list}_{}", parts[2]),
        false => format!("{list}{layer}"),
    };
    parts.splice(0..3, [place.as_str()]);
    parts.join(".")
}

fn agent(case: &Case, cuts: &Cuts, networks: [&AnyNetwork; 2], device: &Device) -> Agent {
    let plain = device.clone().without_autodiff();
    let [student, teacher] = networks.map(|network| network.feature_shapes([3, 32, 32], &plain));
    let policy = PolicyConfig::new(student.pooled, teacher.pooled, cuts.spots());
    let graft = GraftConfig::at(cuts, &student, &teacher).expect("cuts of these networks");
    let agent = Agent {
        policy: policy.init(device),
        graft: graft.init(device).expect("adapters"),
    };
    let key = |path: &str| key(path, cuts.count() > 1);
    let mut agent = fill_parameters(case, agent, &["policy", "hint", "anti_hint"], key);
    // As the fixtures' notes say.
    let scaled = case.name.contains("_mix");
    let net = &mut agent.policy.net;
    if scaled {
        net.weight = net.weight.clone().map(|weight| {
            let weight = weight.inner() / 16.0;
            Tensor::from_inner(weight).require_grad()
        });
    }
    if case.manifest["hyper"]["homo"] == true {
        let bias = net.bias.take().expect("a bias");
        net.bias = Some(bias.map(|bias| {
            let bias = bias.inner();
            let places = Tensor::arange(0..bias.dims()[0] as i64, &bias.device());
            let even = places.remainder_scalar(2).equal_elem(0).float() * 10.0;
            Tensor::from_inner(bias + even).require_grad()
        }));
    }
    agent
}

/// After which stages the reference cuts, which depends on the method.
fn cuts(case: &Case, student: &[[usize; 3]], teacher: &[[usize; 3]]) -> Cuts {
    let layers = case.manifest["hyper"]["layers"].as_array().expect("a list");
    // Counted from the stem; -1 is the pooled feature, -2 the last map.
    let stages: Vec<i64> = layers[1..layers.len() - 1]
        .iter()
        .map(|layer| layer.as_i64().expect("a stage"))
        .collect();
    let pool = student.len() as i64;
    if stages == [1, 2, 3] {
        return Cuts::align(student, teacher).expect("cuts");
    }
    let stage = match stages[0] {
        -1 => pool,
        -2 => pool - 1,
        stage => stage,
    } as usize;
    Cuts::new(vec![stage], vec![stage]).expect("cuts")
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("f32")
}

/// Compares the gradient of every parameter of the agent.
fn assert_gradients(case: &Case, agent: &Agent, gradients: &Gradients, expected: &Value) {
    struct Gradient<'a>(&'a Case, &'a Gradients, &'a Value);

    impl ReadParameter for Gradient<'_> {
        fn read<const D: usize>(&self, key: &str, param: Tensor<D>) -> Option<Tensor<D>> {
            let Self(case, gradients, expected) = self;
            if expected[key].is_null() {
                return None;
            }
            let gradient = param.grad(gradients);
            assert!(gradient.is_some(), "{}: {key} has no gradient", case.name);
            gradient
        }
    }

    let all = expected.as_object().expect("gradients");
    let norms = all.values().filter_map(|g| g["l2"].as_f64());
    // Biases before a batch norm have no gradient but rounding.
    let floor = 1e-6 * norms.fold(0.0, f64::max);
    let numbered = agent.graft.hints.len() > 1;
    let mut seen = 0;
    let read = Gradient(case, gradients, expected);
    visit_parameters(
        agent,
        |path| key(path, numbered),
        read,
        |key, gradient| {
            let expected = &expected[key];
            let squares = gradient.iter().map(|v| f64::from(*v).powi(2));
            let l2 = squares.sum::<f64>().sqrt();
            let reference = expected["l2"].as_f64().expect("a norm");
            assert!(
                (l2 - reference).abs() <= 2e-3 * reference + floor,
                "{} {key}: {l2} against {reference}",
                case.name
            );
            let first = expected["first"].as_array().expect("numbers").iter();
            let first: Vec<f64> = first.map(|v| v.as_f64().expect("a number")).collect();
            let scale = first.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
            for (own, other) in gradient.iter().zip(&first) {
                assert!(
                    (f64::from(*own) - other).abs() <= 1e-3 * scale + floor,
                    "{} {key}: {own} against {other}",
                    case.name
                );
            }
            seen += 1;
        },
    );
    assert_eq!(seen, all.len(), "{}", case.name);
}

fn check(case: &Case, plain: &Device) {
    let device = plain.clone().autodiff();
    let teacher = network(case, "teacher", plain).valid();
    let student = network(case, "student", &device);
    let shapes = [&student, &teacher].map(|network| network.feature_shapes([3, 32, 32], plain));
    let cuts = cuts(case, &shapes[0].maps, &shapes[1].maps);
    let agent = agent(case, &cuts, [&student, &teacher], &device);
    let iteration = &case.manifest["iterations"][0];
    let scalar = |name: &str| iteration[name].as_f64().expect("a number");
    let close = |what: &str, actual: Vec<f32>, tolerance| {
        let label = format!("{} {what}", case.name);
        assert_close(&label, &actual, case.expected(what), tolerance);
    };

    let images: Tensor<4> = case.input("x0", plain);
    let labels = case.labels("target0", plain);
    let soft = teacher.features(images.clone());
    let own = student.features(Tensor::from_inner(images.clone()));
    close("student_logits0", values(own.logits.clone()), 1e-4);
    let own_ce = cross_entropy(own.logits.clone().inner(), labels.clone());

    let logits = agent.policy.forward(own.pooled, soft.pooled.clone());
    close("policy_logits0", values(logits.clone()), 1e-4);
    let uniform: Tensor<3> = case.input("gumbel_u0", plain);
    let temperature = case.hyper("gumbel_temperature").expect("a number");
    let actions = hard_gumbel_softmax(logits, uniform, temperature);
    close("action0", values(actions.clone()), 1e-6);

    let [batch, spots, _] = actions.dims();
    let shares = actions.narrow(2, 0, 1).reshape([batch, spots]);
    let evaluated = student.valid();
    let first = match soft.maps.get(cuts.stages(0).1) {
        Some(map) => Feature::from(map.clone()),
        None => Feature::from(soft.pooled.clone()),
    };
    let networks = (&evaluated, &teacher);
    let grafted = agent
        .graft
        .forward(&cuts, networks, images, first, shares.clone());
    close("graft_logits0", values(grafted.clone()), 1e-4);

    let graft_ce = cross_entropy(grafted, Tensor::from_inner(labels));
    let value = |tensor: Tensor<1>| f64::from(values(tensor)[0]);
    assert_scalar(
        &case.name,
        value(graft_ce.clone()),
        scalar("graft_ce"),
        1e-4,
    );
    assert_scalar(
        &case.name,
        value(own_ce.clone()),
        scalar("loss_ori_cls"),
        1e-4,
    );
    let last = shares.narrow(1, spots - 1, 1).reshape([batch]);
    let gamma = case.hyper("gamma").expect("a number");
    let objective = routing_objective(graft_ce, own_ce, last, gamma);
    assert_scalar(
        &case.name,
        value(objective.clone()),
        scalar("loss_cls_final"),
        1e-4,
    );

    let gradients = objective.backward();
    assert_gradients(case, &agent, &gradients, &iteration["agent_step"]["grads"]);
}

#[test]
fn the_routing_is_the_references() {
    for (name, device) in devices() {
        for case in cases("steps", "sakd_") {
            if name == "ndarray" && !ON_NDARRAY.contains(&case.as_str()) {
                continue;
            }
            check(&Case::load("steps", &case), &device);
        }
    }
}
