#![no_main]

use kd_fuzz as _;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kd_tests::readers::read("event_file", bytes));
