// Linear factor model of z-scored items, persons integrated out, from mean and covariance of complete data.
data {
  int<lower=1> N;
  int<lower=1> J;
  int<lower=1> F;
  int<lower=1, upper=F> factor_of[J];
  int<lower=1, upper=J> firsts[F];
  int<lower=1, upper=J> others[J - F];
  vector[J] mean_y;
  matrix[J, J] cov_y;  // divided by N
}
parameters {
  vector<lower=0>[F] loading_first;
  vector[J - F] loading_other;
  vector[J] intercept;
  vector<lower=0>[J] residual_sd;
  cholesky_factor_corr[F] L;
}
transformed parameters {
  vector[J] loading;
  loading[firsts] = loading_first;
  loading[others] = loading_other;
}
model {
  matrix[J, F] half = diag_pre_multiply(loading, L[factor_of]);
  matrix[J, J] sigma = add_diag(half * half', square(residual_sd));
  matrix[J, J] chol = cholesky_decompose(sigma);
  vector[J] off = mdivide_left_tri_low(chol, mean_y - intercept);
  loading_first ~ lognormal(-0.5, 0.6);
  loading_other ~ normal(0.6, 0.6);
  intercept ~ normal(0, 1);
  residual_sd ~ normal(0, 1);
  L ~ lkj_corr_cholesky(2);
  target += -N * sum(log(diagonal(chol))) - 0.5 * N * dot_self(off)
            - 0.5 * N * trace(mdivide_right_spd(cov_y, sigma));
}
generated quantities {
  matrix[F, F] R = multiply_lower_tri_self_transpose(L);
}
