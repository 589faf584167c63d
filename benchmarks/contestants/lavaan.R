#: title: lavaan
#: order: 6
#: result: estimates
#: families: graded gaussian
#: persons: 20000
#: note: WLSMV (probit, from polychoric correlations) for graded, maximum likelihood for continuous items

# Point estimates with standard errors; graded items by limited information.
source("benchmarks/job.R")
source("benchmarks/lavaan.R")
graded <- problem$family == "graded"
began <- now()
answers <- read_answers(scaled = !graded)
fit <- if (graded) {
  sem(problem$text, answers, ordered = items, estimator = "WLSMV", std.lv = TRUE,
      missing = if (anyNA(answers)) "pairwise" else "listwise")
} else {
  sem(problem$text, answers, std.lv = TRUE, meanstructure = TRUE)
}
ready <- now()
if (!lavInspect(fit, "converged")) stop("lavaan did not converge")
estimates(common_names(fit), ready, list(fitting = ready - began), "lavaan")
