use super::*;
use crate::CachePlace;
use kd_data::Normalization;
use kd_models::Architecture;

fn student() -> Recipe {
    Recipe::new(Architecture::by_name("resnet8").expect("a network"))
}

fn message(recipe: Recipe) -> String {
    recipe.resolved().expect_err("a bad recipe").to_string()
}

fn overlay(yaml: &str) -> Overlay {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recipe.yaml");
    std::fs::write(&path, yaml).expect("a file");
    Overlay::read(path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn flags_win_over_the_file() {
    let file =
        overlay("student: { network: resnet20 }\ntrain: { epochs: 3 }\noptimizer: { lr: 0.1 }");
    let mut flags = Overlay::default();
    flags.set("train.epochs", 7);
    let recipe = flags.over(file).finish().expect("a recipe");
    assert_eq!(
        (recipe.train.epochs, recipe.optimizer.lr),
        (Some(7), Some(0.1))
    );
    assert_eq!(recipe.scheduler.milestones.as_deref(), Some(&[4, 5, 6][..]));
}

#[test]
fn a_recipe_written_is_the_recipe_read() {
    let method = Method::by_name("at").expect("a method");
    let mut recipe = student().with_method(method, "/weights/teacher.safetensors");
    recipe.teacher.cache = Some(CachePlace::Folder("/outputs".into()));
    recipe.optimizer.nesterov = true;
    recipe.data.limit_train = Some(100);
    recipe.train.seed = u64::MAX;
    recipe.routing.mode = RoutingMode::Adaptive;
    let recipe = recipe.resolved().expect("a recipe");
    let text = serde_saphyr::to_string(&recipe).expect("YAML");
    assert_eq!(overlay(&text).finish().expect("a recipe"), recipe, "{text}");
    assert_eq!(recipe.clone().resolved().expect("a recipe"), recipe);
}

#[test]
fn a_method_brings_its_terms() {
    let terms = |shorthand: Shorthand| -> Vec<(String, f64)> {
        let terms = shorthand.terms();
        terms
            .iter()
            .map(|t| (t.label().to_owned(), t.weight))
            .collect()
    };
    let of = |name: &str| Shorthand {
        method: Method::by_name(name).ok(),
        ..Shorthand::default()
    };
    let term = |name: &str, weight| (name.to_owned(), weight);
    assert_eq!(terms(Shorthand::default()), [term("ce", 1.0)]);
    assert_eq!(terms(of("kd")), [term("ce", 0.1), term("kd", 0.9)]);
    assert_eq!(terms(of("at")), [term("ce", 1.0), term("at", 1000.0)]);
    let all = Shorthand {
        ce: Some(0.5),
        kd: Some(0.9),
        own: Some(2.0),
        ..of("rkd")
    };
    assert_eq!(
        terms(all),
        [term("ce", 0.5), term("kd", 0.9), term("rkd", 2.0)]
    );
    // A phase before the main one needs the term although its weight is 0.
    assert_eq!(terms(of("fsp")), [term("ce", 1.0), term("fsp", 0.0)]);
}

#[test]
fn shorthand_changes_the_terms_of_a_file() {
    let file = "losses:\n- { name: ce, weight: 1 }\n- { name: kd, weight: 0.5 }\n- { name: at, weight: 10 }";
    let mut recipe = overlay(file);
    recipe.set("student.network", "resnet8");
    recipe.set("teacher.weights", "t.safetensors");
    recipe
        .shorthand(&Shorthand {
            kd: Some(0.9),
            own: Some(20.0),
            temperature: Some(2.0),
            ..Shorthand::default()
        })
        .expect("terms");
    let losses = recipe.finish().expect("a recipe").losses;
    assert_eq!([losses[1].weight, losses[2].weight], [0.9, 20.0]);
    assert!(matches!(&losses[1].loss, Method::Kd(kd) if kd.temperature == 2.0));

    let mut several = overlay("losses:\n- { name: at, weight: 1 }\n- { name: rkd, weight: 1 }");
    let error = several.shorthand(&Shorthand {
        own: Some(1.0),
        ..Shorthand::default()
    });
    let error = error.expect_err("which one?").to_string();
    assert!(error.contains("--set losses.N.weight"), "{error}");
}

#[test]
fn assignments_reach_every_field() {
    let mut recipe = overlay(
        "student: { network: resnet8 }\nteacher: { weights: t }\nlosses:\n- { name: ce, weight: 1 }\n- { name: kd, weight: 0.5 }",
    );
    for assignment in [
        "losses.1.temperature=2",
        "losses.2={ name: at, weight: 1000 }",
        "optimizer.clip_norm=5",
        "scheduler.name=cosine",
        "augmentation={ kind: none }",
        "augmentation.kind=flip",
        "augmentation={ kind: crop_flip }",
        "augmentation.padding=reflect",
        "data.normalization=cifar10-zoo",
        "data.procedural.classes=5",
        "routing.mode=random",
        "routing.probability=0.25",
    ] {
        recipe
            .assign(assignment)
            .unwrap_or_else(|error| panic!("{assignment}: {error}"));
    }
    let recipe = recipe.finish().expect("a recipe");
    assert!(matches!(&recipe.losses[1].loss, Method::Kd(kd) if kd.temperature == 2.0));
    assert_eq!(recipe.losses[2].loss.name(), "at");
    assert_eq!(recipe.optimizer.clip_norm, Some(5.0));
    assert_eq!(
        recipe.augmentation,
        Some(Augmentation::CropFlip {
            pad: 4,
            padding: kd_data::Padding::Reflect
        })
    );
    assert_eq!(recipe.data.normalization, Some(Normalization::CIFAR10_ZOO));
    assert_eq!(recipe.data.procedural.map(|data| data.classes), Some(5));
    assert_eq!(recipe.routing.probability, Some(0.25));
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    let message = |assignment: &str| {
        let error = Overlay::default().assign(assignment);
        error.expect_err("a mistake").to_string()
    };
    assert_eq!(
        message("optimizer.momentun=1"),
        "optimizer.momentun: unknown key; did you mean `momentum`?"
    );
    assert_eq!(
        message("optimiser.lr=1"),
        "optimiser.lr: unknown key; did you mean `optimizer`?"
    );
    assert!(message("losses.0.smooting=1").contains("did you mean `smoothing`?"));
    assert!(message("losses.7.weight=1").starts_with("losses.7.weight: unknown key"));
    assert!(message("optimizer.lr").contains("KEY=VALUE"));
    let message_of_nan = message("optimizer.lr=.nan");
    assert!(
        message_of_nan.ends_with("`.nan` is not a finite number at line 1, column 1"),
        "{message_of_nan}"
    );
    assert!(message("optimizer.lr=fast").starts_with("optimizer.lr: invalid type"));
}

#[test]
fn recipes_of_the_first_version_are_converted() {
    let flat = "data: cifar100\nroot: /data\nlimit_train: 640\nstudent: resnet8\nteacher: null\n\
        teacher_weights: /t.safetensors\nfold_teacher: true\nmethod: { name: at, p: 4 }\n\
        weight_ce: 1.0\nweight_kd: 0.9\nweight_method: 500.0\ntemperature: 2.0\nstandardise: null\n\
        routing: adaptive\nrouting_gamma: 2.0\nepochs: 3\nlr: 0.1\nmilestones: [1]\ngamma: 0.2\n\
        augmentation: { kind: crop_flip, pad: 4 }\nseed: 7\ndevice: flex";
    let recipe = overlay(flat).finish().expect("a recipe");
    assert_eq!(recipe.data.name, DataSource::Cifar100);
    assert_eq!(recipe.student.network.map(|n| n.name()), Some("resnet8"));
    let terms: Vec<_> = recipe
        .losses
        .iter()
        .map(|t| (t.label(), t.weight))
        .collect();
    assert_eq!(terms, [("ce", 1.0), ("kd", 0.9), ("at", 500.0)]);
    assert!(matches!(&recipe.losses[1].loss, Method::Kd(kd) if kd.temperature == 2.0));
    assert_eq!(recipe.routing.gamma, Some(2.0));
    assert_eq!((recipe.train.seed, recipe.optimizer.lr), (7, Some(0.1)));
    assert_eq!(recipe.scheduler.gamma, Some(0.2));
}

#[test]
fn a_file_with_a_mistake_names_line_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recipe.yaml");
    let message = |yaml: &str| {
        std::fs::write(&path, yaml).expect("a file");
        Overlay::read(&path).expect_err("a mistake").to_string()
    };
    let unknown = message("train:\n  epoch: 3\n");
    assert!(
        unknown.contains("unknown field `epoch`") && unknown.contains("line 2"),
        "{unknown}"
    );
    assert!(message("- 1").contains("map of sections"));
    let non_finite = message("optimizer: { lr: .nan }");
    assert!(
        non_finite.contains("`.nan` is not a finite number at line 1"),
        "{non_finite}"
    );
    let term = message("losses:\n- { name: kd, weight: 1, temp: 2 }\n");
    assert!(term.contains("unknown field `temp`"), "{term}");
}

#[test]
fn bad_values_name_their_field() {
    let mut recipe = student();
    recipe.optimizer.lr = Some(f64::NAN);
    assert_eq!(
        message(recipe),
        "optimizer.lr is NaN, expected a positive finite number"
    );
    let mut recipe = student();
    recipe.data.batch_size = Some(0);
    assert_eq!(message(recipe), "data.batch_size is 0, expected at least 1");
    let mut recipe = student();
    recipe.scheduler.milestones = Some(vec![3, 2]);
    assert!(message(recipe).starts_with("scheduler.milestones is [3, 2]"));
    let mut recipe = student();
    recipe.optimizer.name = crate::OptimizerName::Adam;
    recipe.optimizer.nesterov = true;
    assert_eq!(
        message(recipe),
        "optimizer.nesterov cannot be used with optimizer.name: adam"
    );
}

#[test]
fn what_needs_a_teacher_says_so() {
    let mut recipe = student();
    recipe.losses = Shorthand {
        method: Method::by_name("at").ok(),
        ..Shorthand::default()
    }
    .terms();
    let text = message(recipe);
    assert!(
        text.starts_with("teacher.weights is missing: the loss `at` needs"),
        "{text}"
    );
    let mut recipe = student();
    recipe.routing.mode = RoutingMode::Adaptive;
    assert!(message(recipe).contains("routing needs a teacher"));
}

#[test]
fn a_data_set_brings_its_standards() {
    let resolved = |name| {
        let mut recipe = student();
        recipe.data.name = name;
        recipe.resolved().expect("a recipe")
    };
    let expected = [
        (
            DataSource::Procedural,
            Some(Augmentation::CIFAR),
            None,
            None,
        ),
        (
            DataSource::Cifar10,
            Some(Augmentation::CIFAR),
            Some(Normalization::CIFAR10),
            None,
        ),
        (
            DataSource::TinyImagenet,
            Some(Augmentation::Flip),
            Some(Normalization::TINY_IMAGENET),
            None,
        ),
        (
            DataSource::Imagenet,
            Some(Augmentation::RESIZED_CROP),
            Some(Normalization::IMAGENET),
            Some(224),
        ),
        (
            DataSource::Folder,
            None,
            Some(Normalization::IMAGENET),
            None,
        ),
    ];
    for (name, augmentation, normalization, size) in expected {
        let recipe = resolved(name);
        assert_eq!(recipe.augmentation, augmentation, "{name:?}");
        assert_eq!(recipe.data.normalization, normalization, "{name:?}");
        assert_eq!(recipe.data.image_size, size, "{name:?}");
    }
    // Where it depends on the size of the images, an eighth is added on each side.
    let folder = resolved(DataSource::Folder);
    assert_eq!(folder.augmentation([96, 64]), Augmentation::crop_flip(8));
}

#[test]
fn keys_of_data_that_do_not_fit_are_named() {
    let of = |change: fn(&mut DataConfig)| {
        let mut recipe = student();
        change(&mut recipe.data);
        message(recipe)
    };
    for share in ["0", "1", "-0.5", "1.5"] {
        let mut recipe = student();
        recipe.data.dev_split = share.parse().ok();
        let expected = format!("data.dev_split is {share}, expected a fraction between 0 and 1");
        assert_eq!(message(recipe), expected);
    }
    assert_eq!(
        of(|data| data.download = true),
        "data.download cannot be used with data.name: procedural"
    );
    assert_eq!(
        of(|data| data.image_size = Some(32)),
        "data.image_size cannot be used with data.name: procedural"
    );
    let zero = of(|data| {
        data.name = DataSource::Folder;
        data.image_size = Some(0);
    });
    assert_eq!(zero, "data.image_size is 0, expected at least 1");
}

#[test]
fn a_cache_needs_an_augmentation_with_few_views() {
    let mut recipe = student().with_method(Method::by_name("kd").expect("a method"), "t");
    recipe.teacher.cache = Some(CachePlace::Memory);
    recipe.augmentation = Some(Augmentation::RotateFlip { degrees: 20.0 });
    assert_eq!(
        message(recipe),
        "teacher.cache cannot be used with augmentation.kind: rotate_flip"
    );
}

#[test]
fn the_dev_split_takes_the_place_of_the_test_images() {
    let mut recipe = student();
    recipe.data.procedural = Some(kd_data::ProceduralConfig {
        train: 100,
        test: 5,
        ..kd_data::ProceduralConfig::default()
    });
    recipe.data.dev_split = Some(0.2);
    let load = |recipe: &Recipe| recipe.clone().resolved().and_then(|r| r.load_data());
    let splits = load(&recipe).expect("images");
    assert_eq!((splits.train.len(), splits.test.len()), (80, 20));
    recipe.data.limit_test = Some(7);
    assert_eq!(load(&recipe).expect("images").test.len(), 7);
}
