// Linear factor model of z-scored items with person scores as parameters, non-centred.
data {
  int<lower=1> N;
  int<lower=1> J;
  int<lower=1> F;
  int<lower=1, upper=F> factor_of[J];
  int<lower=1, upper=J> firsts[F];
  int<lower=1, upper=J> others[J - F];
  vector[N] y[J];
}
parameters {
  vector<lower=0>[F] loading_first;
  vector[J - F] loading_other;
  vector[J] intercept;
  vector<lower=0>[J] residual_sd;
  cholesky_factor_corr[F] L;
  matrix[F, N] z;
}
transformed parameters {
  vector[J] loading;
  loading[firsts] = loading_first;
  loading[others] = loading_other;
}
model {
  matrix[N, F] theta = (L * z)';
  loading_first ~ lognormal(-0.5, 0.6);
  loading_other ~ normal(0.6, 0.6);
  intercept ~ normal(0, 1);
  residual_sd ~ normal(0, 1);
  L ~ lkj_corr_cholesky(2);
  to_vector(z) ~ std_normal();
  for (j in 1:J)
    y[j] ~ normal(intercept[j] + loading[j] * col(theta, factor_of[j]), residual_sd[j]);
}
generated quantities {
  matrix[F, F] R = multiply_lower_tri_self_transpose(L);
}
