#: title: Stan, persons sampled
#: order: 4
#: result: posterior
#: families: graded gaussian
#: persons: 5000
#: cache: yes
#: limit: 3600
#: note: non-centred person scores, as brms generates them; chains start with positive slopes and scores of zero

# Person scores are parameters: the model that brms users get.
source("benchmarks/job.R")
source("benchmarks/stan.R")
run_stan(paste0(problem$family, "_persons.stan"))
