#: title: lavaan, 1000 bootstraps
#: order: 7
#: result: estimates
#: families: gaussian
#: missing: no
#: limit: 1800
#: note: maximum likelihood, standard errors from 1000 bootstrap samples

# What users of lavaan run for the interval of an indirect effect.
source("benchmarks/job.R")
source("benchmarks/lavaan.R")
began <- now()
answers <- read_answers(scaled = TRUE)
samples <- if (is.null(job$draws)) 1000 else 20
fit <- sem(problem$text, answers, std.lv = TRUE, meanstructure = TRUE, se = "bootstrap", bootstrap = samples,
           parallel = if (job$cores > 1) "multicore" else "no", ncpus = job$cores, iseed = job$seed)
ready <- now()
estimates(common_names(fit), ready, list(fitting = ready - began), "lavaan")
