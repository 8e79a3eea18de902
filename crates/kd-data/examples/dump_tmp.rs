#![allow(missing_docs, clippy::all)]
use kd_data::*;
use std::io::Write;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let classes: usize = a[1].parse().unwrap();
    let size: usize = a[2].parse().unwrap();
    let n: usize = a[3].parse().unwrap();
    let mut difficulty = Difficulty::default();
    if a.len() > 5 && a[5] == "easy" { difficulty = Difficulty{noise:0.0,clutter:0,jitter:0.0,ground:0.0,contrast:0.4,occlusion:0.0,ambiguous:0.0}; }
    let c = ProceduralConfig { classes, size, train: n, test: 1, seed: 0, difficulty };
    let t = std::time::Instant::now();
    let s = c.generate().unwrap().train;
    let e = t.elapsed().as_secs_f64();
    eprintln!("{n} images in {e:.3} s: {:.0}/s", n as f64 / e);
    let mut f = std::io::BufWriter::new(std::fs::File::create(&a[4]).unwrap());
    for i in 0..n { f.write_all(&[s.label(i) as u8]).unwrap(); f.write_all(s.image(i)).unwrap(); }
    let px = size*size;
    for ch in 0..3 { let (mut m, mut q) = (0f64,0f64);
      for i in 0..n { for &b in &s.image(i)[ch*px..(ch+1)*px] { let v = b as f64/255.0; m+=v; q+=v*v; } }
      let k=(n*px) as f64; m/=k; eprintln!("mean {:.4} std {:.4}", m, (q/k-m*m).sqrt()); }
}
