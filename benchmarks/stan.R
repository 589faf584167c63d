# What the Stan contestants share: data, a compiled program kept in the cache folder, draws by common names.

needs("rstan")
suppressPackageStartupMessages(library(rstan))
rstan_options(auto_write = TRUE)
# Debian keeps Boost outside R's libraries.
if (dir.exists("/usr/include/boost")) rstan_options(boost_lib = "/usr/include")

stan_data <- function(marginal = FALSE) {
  J <- length(items)
  firsts <- problem$firsts + 1L
  common <- list(
    J = J, F = length(factor_names), factor_of = problem$factor_of + 1L,
    firsts = as.array(firsts), others = as.array(setdiff(seq_len(J), firsts))
  )
  if (problem$family == "gaussian") {
    y <- as.matrix(read_answers(scaled = TRUE))
    N <- nrow(y)
    if (!marginal) return(c(common, list(N = N, y = t(y))))
    return(c(common, list(N = N, mean_y = colMeans(y), cov_y = cov(y) * (N - 1) / N)))
  }
  answers <- as.matrix(read_answers())
  given <- which(!is.na(answers), arr.ind = TRUE)
  count <- colSums(!is.na(answers))
  end <- cumsum(count)
  c(common, list(
    N = nrow(answers), K = problem$n_categories, M = nrow(given),
    person = given[, 1], y = answers[given] + 1L, from = as.array(end - count + 1L), to = as.array(end)
  ))
}

# Mean seconds of a gradient where the first chain started, on one core.
gradient_seconds <- function(fit) {
  u <- unconstrain_pars(fit, get_inits(fit)[[1]])
  begun <- now()
  for (i in 1:100) grad_log_prob(fit, u)
  (now() - begun) / 100
}

# Positive slopes, scores of zero, no correlation: no chain begins in the mirror image of a factor.
starts <- function(persons) function() {
  J <- length(items)
  F <- length(factor_names)
  start <- list(L = diag(F), z = matrix(0, F, persons))
  role <- if (problem$family == "graded") "slope" else "loading"
  start[[paste0(role, "_first")]] <- as.array(runif(F, 0.5, 1))
  start[[paste0(role, "_other")]] <- as.array(runif(J - F, 0.5, 1))
  start
}

run_stan <- function(program, marginal = FALSE) {
  began <- now()
  file <- file.path(job$cache, program)
  if (!file.exists(file)) file.copy(file.path("benchmarks", "stan", program), file)
  model <- stan_model(file)
  compiled <- now()
  draws <- if (is.null(job$draws)) 1000 else job$draws
  warm_up <- if (is.null(job$warm_up)) 1000 else job$warm_up
  roles <- if (problem$family == "graded") c("slope", "category_prob") else c("loading", "intercept", "residual_sd")
  data <- stan_data(marginal)
  fit <- sampling(
    model, data = data, chains = job$chains, cores = job$cores, warmup = warm_up,
    iter = warm_up + draws, seed = job$seed, init = starts(data$N), refresh = 0, pars = c(roles, "R"), include = TRUE
  )
  ready <- now()
  if (fit@mode != 0) stop("Stan returned no draws")
  all <- extract(fit, pars = c(roles, "R"), permuted = FALSE)
  kept <- list()
  for (name in dimnames(all)[[3]]) {
    role <- sub("\\[.*", "", name)
    index <- as.integer(strsplit(gsub(".*\\[|\\]", "", name), ",")[[1]])
    new <- switch(role,
      R = if (index[1] > index[2]) sprintf("r[%s,%s]", factor_names[index[1]], factor_names[index[2]]),
      category_prob = sprintf("category_prob[%s,%d]", items[index[1]], index[2] - 1L),
      sprintf("%s[%s]", role, items[index[1]])
    )
    if (!is.null(new)) kept[[name]] <- new
  }
  all <- all[, , names(kept), drop = FALSE]
  dimnames(all)[[3]] <- unlist(kept)
  stats <- get_sampler_params(fit, inc_warmup = FALSE)
  posterior(
    all, ready, list(compiling = compiled - began, sampling = ready - compiled),
    divergences = sum(sapply(stats, function(s) sum(s[, "divergent__"]))),
    steps = mean(sapply(stats, function(s) mean(s[, "n_leapfrog__"]))), packages = "rstan",
    more = list(gradient = list(seconds = gradient_seconds(fit)))
  )
}
