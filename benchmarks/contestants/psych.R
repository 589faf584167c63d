#: title: psych, irt.fa
#: order: 8
#: result: estimates
#: families: graded
#: factors: 1
#: persons: 20000
#: note: factor analysis of polychoric correlations turned into slopes; no standard errors

# Slopes in logits from normal-ogive discriminations.
source("benchmarks/job.R")
needs("psych")
suppressPackageStartupMessages(library(psych))
began <- now()
answers <- read_answers()
fit <- irt.fa(answers, nfactors = 1, plot = FALSE)
ready <- now()
slope <- 1.702 * fit$irt$discrimination[, 1]
names(slope) <- sprintf("slope[%s]", rownames(fit$irt$discrimination))
estimates(abs(slope), ready, list(fitting = ready - began), "psych")
