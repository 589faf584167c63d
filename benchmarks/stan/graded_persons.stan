// Graded response model with person scores as parameters, non-centred, correlated factors.
data {
  int<lower=1> N;  // persons
  int<lower=1> J;  // items
  int<lower=2> K;  // categories
  int<lower=1> F;  // factors
  int<lower=1> M;  // answers, sorted by item
  int<lower=1, upper=F> factor_of[J];
  int<lower=1, upper=J> firsts[F];
  int<lower=1, upper=J> others[J - F];
  int<lower=1, upper=N> person[M];
  int<lower=1, upper=K> y[M];
  int<lower=1> from[J];
  int<lower=1> to[J];
}
parameters {
  vector<lower=0>[F] slope_first;
  vector[J - F] slope_other;
  simplex[K] category_prob[J];
  cholesky_factor_corr[F] L;
  matrix[F, N] z;
}
transformed parameters {
  vector[J] slope;
  slope[firsts] = slope_first;
  slope[others] = slope_other;
}
model {
  matrix[N, F] theta = (L * z)';
  slope_first ~ lognormal(0.25, 0.6);
  slope_other ~ student_t(4, 1, 1);
  L ~ lkj_corr_cholesky(2);
  to_vector(z) ~ std_normal();
  for (j in 1:J) {
    vector[K - 1] cut;
    real scale = sqrt(1 + 0.3457 * square(slope[j]));
    for (k in 1:(K - 1))
      cut[k] = scale * (log(sum(category_prob[j][1:k])) - log(sum(category_prob[j][(k + 1):K])));
    y[from[j]:to[j]] ~ ordered_logistic(slope[j] * theta[person[from[j]:to[j]], factor_of[j]], cut);
  }
}
generated quantities {
  matrix[F, F] R = multiply_lower_tri_self_transpose(L);
}
