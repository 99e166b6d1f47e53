//! Implicit hypergradients against brute force, closed forms and each other.
#![allow(clippy::unwrap_used)] // a test may panic

use bilevel::{
    Bilevel, ConjugateGradient, DenseSolve, Error, Hypergradient, IdentityHessian, Implicit, ImplicitGradient,
    InverseHessian, Neumann, Nystrom, Problem, UpperGradient, UpperGradients, implicit_gradient,
};

const X: [[f64; 3]; 5] = [[1.0, 0.5, -0.3], [1.0, -1.2, 0.8], [1.0, 0.1, 1.5], [1.0, 2.0, -0.7], [1.0, -0.4, -1.1]];
const Y: [f64; 5] = [0.7, -1.1, 2.0, 0.3, -0.5];
const META_X: [[f64; 3]; 3] = [[1.0, 0.3, 0.2], [1.0, -0.9, 1.0], [1.0, 1.4, -1.3]];
const META_Y: [f64; 3] = [0.2, 1.1, -0.6];
const WEIGHTS: [f64; 5] = [1.0, 0.4, 1.6, 1.2, 0.8];
const RIDGE: f64 = 0.2;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `l = 1/5 sum_i w_i l_i + RIDGE |t|^2 / 2`, `L` the mean of the same losses on the meta set; squares or logistic
/// losses.
struct Weighted {
    logistic: bool,
}

impl Weighted {
    fn loss(&self, x: &[f64], y: f64, t: &[f64]) -> f64 {
        if self.logistic { (-y.signum() * dot(x, t)).exp().ln_1p() } else { (dot(x, t) - y).powi(2) / 2.0 }
    }
    fn slope(&self, x: &[f64], y: f64, t: &[f64]) -> f64 {
        if self.logistic { -y.signum() / (1.0 + (y.signum() * dot(x, t)).exp()) } else { dot(x, t) - y }
    }

    /// The lower optimum by gradient descent to rounding, nothing of the library's.
    fn optimum(&self, w: &[f64]) -> Vec<f64> {
        let mut t = vec![0.0; 3];
        for _ in 0..4000 {
            let g = self.lower_gradient(&t, w).unwrap();
            t.iter_mut().zip(g).for_each(|(t, g)| *t -= 0.4 * g);
        }
        t
    }

    /// `dL(theta*(w))/dw` by solving the lower problem anew on both sides of every weight.
    fn brute_force(&self) -> Vec<f64> {
        let upper = |w: &[f64]| Problem::upper(self, &self.optimum(w), w).unwrap().loss;
        (0..5)
            .map(|i| {
                let (mut up, mut down) = (WEIGHTS, WEIGHTS);
                up[i] += 1e-4;
                down[i] -= 1e-4;
                (upper(&up) - upper(&down)) / 2e-4
            })
            .collect()
    }

    fn ours(&self, method: &dyn InverseHessian) -> Result<ImplicitGradient, Error> {
        implicit_gradient(self, &self.optimum(&WEIGHTS), &WEIGHTS, method, 1e-4)
    }
}

impl Problem for Weighted {
    fn lower_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
        let mut sum: Vec<f64> = t.iter().map(|t| RIDGE * t).collect();
        for ((x, y), w) in X.iter().zip(Y).zip(w) {
            let slope = w * self.slope(x, y, t) / 5.0;
            sum.iter_mut().zip(x).for_each(|(s, x)| *s += slope * x);
        }
        Ok(sum)
    }
    fn lower_gradient_by_hyper(&self, t: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(X.iter().zip(Y).map(|(x, y)| self.loss(x, y, t) / 5.0).collect())
    }
    fn upper(&self, t: &[f64], _: &[f64]) -> Result<UpperGradients, Error> {
        let (mut loss, mut g) = (0.0, vec![0.0; 3]);
        for (x, y) in META_X.iter().zip(META_Y) {
            loss += self.loss(x, y, t) / 3.0;
            let slope = self.slope(x, y, t) / 3.0;
            g.iter_mut().zip(x).for_each(|(g, x)| *g += slope * x);
        }
        Ok(UpperGradients { loss, by_theta: g, by_hyper: vec![0.0; 5] })
    }
}

impl Bilevel for Weighted {
    fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.lower_gradient_by_hyper(t, &WEIGHTS)?.iter().map(|l| 5.0 * l).collect())
    }
    fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
        self.lower_gradient(t, w)
    }
    fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
        let UpperGradients { loss, by_theta, .. } = Problem::upper(self, t, &WEIGHTS)?;
        Ok(UpperGradient { loss, gradient: by_theta })
    }
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    let size = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < tolerance * size, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn exact_equals_brute_force_on_ridge_and_logistic_problems() {
    for logistic in [false, true] {
        let p = Weighted { logistic };
        let answer = p.ours(&DenseSolve).unwrap();
        close(&answer.gradient, &p.brute_force(), 1e-6);
        assert!(answer.solution.residual < 1e-8 && answer.lower_gradient_norm < 1e-12);
        assert_eq!(answer.solution.products, 3);
    }
}

#[test]
fn conjugate_gradients_equal_exact_in_as_many_steps_as_parameters() {
    for logistic in [false, true] {
        let p = Weighted { logistic };
        let exact = p.ours(&DenseSolve).unwrap();
        let answer = p.ours(&ConjugateGradient::new(10, 1e-7).unwrap()).unwrap();
        close(&answer.gradient, &exact.gradient, 1e-6);
        assert!(answer.solution.products <= 3, "{}", answer.solution.products);
        assert!(answer.solution.residual < 1e-6);
    }
}

#[test]
fn a_full_rank_nystrom_is_the_damped_inverse() {
    let p = Weighted { logistic: true };
    let exact = p.ours(&DenseSolve).unwrap();
    close(&p.ours(&Nystrom::new(3, 1e-7, 1).unwrap()).unwrap().gradient, &exact.gradient, 1e-4);
    // diagonal H: all columns and damping d give g_i / (h_i + d); those left out g_i / d
    let h = [4.0, 1.0, 0.5, 2.0];
    let g = [1.0, -2.0, 3.0, 0.5];
    let mut product = |v: &[f64]| Ok(v.iter().zip(h).map(|(v, h)| h * v).collect());
    let all = Nystrom::new(4, 0.1, 0).unwrap().solve(&mut product, &g).unwrap();
    close(&all.q, &[1.0 / 4.1, -2.0 / 1.1, 3.0 / 0.6, 0.5 / 2.1], 1e-12);
    let some = Nystrom::new(2, 0.1, 0).unwrap().solve(&mut product, &g).unwrap();
    let left_out = some.q.iter().zip(g).filter(|(q, g)| (*q - g / 0.1).abs() < 1e-9).count();
    let kept = some.q.iter().zip(g).zip(h).filter(|((q, g), h)| (*q - g / (h + 0.1)).abs() < 1e-9).count();
    assert_eq!((left_out, kept), (2, 2), "{:?}", some.q);
}

#[test]
fn the_neumann_series_errs_by_its_closed_form() {
    // H with eigenvalues 0.05 to 50; at alpha = 1 / 50 the part of q along an eigenvalue l errs by (1 - l / 50)^terms
    let eigenvalues = [0.05, 1.3, 10.0, 50.0];
    let g = [0.01, 1.0, 1.0, 1.0];
    let mut product = |v: &[f64]| Ok(v.iter().zip(eigenvalues).map(|(v, l)| l * v).collect());
    for terms in [1, 3, 20, 200] {
        let found = Neumann::new(terms, 1.0 / 50.0).unwrap().solve(&mut product, &g).unwrap();
        let expected: Vec<f64> =
            g.iter().zip(eigenvalues).map(|(g, l)| g / l * (1.0 - (1.0 - l / 50.0f64).powi(terms as i32))).collect();
        close(&found.q, &expected, 1e-12);
        assert_eq!(found.products, terms - 1);
    }
}

#[test]
fn the_neumann_series_reaches_the_stated_errors_at_an_eigenvalue_of_50() {
    // parts of H^-1 g whose squares are 0.116, 0.393, 0.491 at eigenvalues 1, 5, 50: (1 - l / 50)^terms of each is left
    let (h, q) = ([1.0, 5.0, 50.0], [0.3407, 0.6269, 0.7006]);
    let g: Vec<f64> = h.iter().zip(q).map(|(h, q)| h * q).collect();
    let mut product = |v: &[f64]| Ok(v.iter().zip(h).map(|(v, h)| h * v).collect());
    for (terms, stated, within) in [(3, 0.56, 0.005), (20, 0.24, 0.005), (200, 0.006, 0.0005)] {
        let found = Neumann::new(terms, 1.0 / 50.0).unwrap().solve(&mut product, &g).unwrap().q;
        let off: Vec<f64> = found.iter().zip(q).map(|(f, q)| f - q).collect();
        let error = (dot(&off, &off) / dot(&q, &q)).sqrt();
        assert!((error - stated).abs() < within, "{terms}: {error}");
    }
}

#[test]
fn a_diverging_neumann_series_is_an_error_that_names_alpha() {
    let mut product = |v: &[f64]| Ok(v.iter().map(|v| 50.0 * v).collect());
    let error = Neumann::new(20, 1.0).unwrap().solve(&mut product, &[1.0, 2.0]).unwrap_err();
    assert!(matches!(error, Error::Unsolved { method: "neumann", iteration: 1, .. }), "{error}");
    assert!(error.to_string().contains("alpha"));
}

#[test]
fn scaling_the_lower_problem_scales_the_solution() {
    // a library in wide use scales the step of its conjugate gradients and not the residual
    let h = [[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]];
    let g = [1.0, -0.5, 2.0];
    let method = ConjugateGradient::new(30, 1e-12).unwrap();
    let scaled = |scale: f64| {
        let mut product = |v: &[f64]| Ok(h.iter().map(|row| scale * dot(row, v)).collect());
        method.solve(&mut product, &g).unwrap()
    };
    let one = scaled(1.0);
    for scale in [1e-3, 7.0, 1e4] {
        let other = scaled(scale);
        close(&other.q.iter().map(|q| scale * q).collect::<Vec<_>>(), &one.q, 1e-9);
        assert!(other.residual < 1e-10);
    }
}

#[test]
fn t1_t2_is_one_step_of_the_lower_level() {
    // at the optimum, moving a weight moves the next step's end: brute force through that one step
    let p = Weighted { logistic: true };
    let (theta, step) = (p.optimum(&WEIGHTS), 0.3);
    let answer = implicit_gradient(&p, &theta, &WEIGHTS, &IdentityHessian::new(step).unwrap(), 1e-4).unwrap();
    let upper = |w: &[f64]| {
        let g = p.lower_gradient(&theta, w).unwrap();
        let ahead: Vec<f64> = theta.iter().zip(g).map(|(t, g)| t - step * g).collect();
        Problem::upper(&p, &ahead, w).unwrap().loss
    };
    let expected: Vec<f64> = (0..5)
        .map(|i| {
            let (mut up, mut down) = (WEIGHTS, WEIGHTS);
            up[i] += 1e-5;
            down[i] -= 1e-5;
            (upper(&up) - upper(&down)) / 2e-5
        })
        .collect();
    close(&answer.gradient, &expected, 1e-5);
}

#[test]
fn weights_by_an_inverse_hessian_equal_brute_force_at_the_optimum() {
    for logistic in [false, true] {
        let p = Weighted { logistic };
        let method = Implicit::new(DenseSolve, 1e-4).unwrap();
        let answer = method.weight_gradient(&p, &p.optimum(&WEIGHTS), &WEIGHTS, 0.1).unwrap();
        close(&answer.gradient, &p.brute_force(), 1e-6);
        assert_eq!(method.name(), "exact");
    }
}

#[test]
fn what_cannot_be_solved_is_refused() {
    let mut saddle = |v: &[f64]| Ok(vec![v[0], -v[1]]);
    let g = [1.0, 1.0];
    assert!(matches!(DenseSolve.solve(&mut saddle, &g), Err(Error::Unsolved { method: "exact", .. })));
    let cg = ConjugateGradient::default();
    assert!(matches!(cg.solve(&mut saddle, &g), Err(Error::Unsolved { method: "conjugate-gradient", .. })));
    assert!(matches!(cg.solve(&mut saddle, &[f64::NAN, 1.0]), Err(Error::Unsolved { iteration: 0, .. })));
    let nothing = cg.solve(&mut saddle, &[0.0, 0.0]).unwrap();
    assert_eq!((nothing.q, nothing.products), (vec![0.0, 0.0], 0));
    let p = Weighted { logistic: false };
    let parameter = |error: Result<(), Error>, name: &str| matches!(error, Err(Error::Parameter(e)) if e.name == name);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(parameter(IdentityHessian::new(bad).map(drop), "step"));
        assert!(parameter(Neumann::new(3, bad).map(drop), "alpha"));
        assert!(parameter(ConjugateGradient::new(3, bad).map(drop), "tolerance"));
        assert!(parameter(Nystrom::new(2, bad, 0).map(drop), "damping"));
        assert!(parameter(Implicit::new(DenseSolve, bad).map(drop), "radius"));
        let answer = implicit_gradient(&p, &[0.0; 3], &WEIGHTS, &DenseSolve, bad);
        assert!(parameter(answer.map(drop), "radius"));
    }
    assert!(parameter(Neumann::new(0, 0.1).map(drop), "terms"));
    assert!(parameter(Nystrom::new(0, 0.1, 0).map(drop), "rank"));
    assert!(parameter(ConjugateGradient::new(0, 0.1).map(drop), "iterations"));
}

/// A product that changes the length is an error of every method that asks for one, not a panic or a wrong answer.
#[test]
fn products_of_another_length_are_refused() {
    let mut longer = |v: &[f64]| Ok(vec![1.0; v.len() + 1]);
    let methods: [&dyn InverseHessian; 5] = [
        &IdentityHessian::new(0.1).unwrap(),
        &Neumann::new(3, 0.1).unwrap(),
        &ConjugateGradient::default(),
        &Nystrom::new(2, 0.1, 0).unwrap(),
        &DenseSolve,
    ];
    for method in methods {
        let error = method.solve(&mut longer, &[1.0, 2.0]).unwrap_err();
        assert!(matches!(error, Error::Length { what: "product", found: 3, expected: 2 }), "{method:?}: {error}");
        assert!(method.solve(&mut longer, &[]).unwrap().q.is_empty());
        assert!(method.approximate(&mut |v| Ok(v.to_vec()), &[]).unwrap().q.is_empty());
    }
}
