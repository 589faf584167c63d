#: title: Stan, persons integrated out
#: order: 5
#: result: posterior
#: families: gaussian
#: missing: no
#: cache: yes
#: limit: 3600
#: note: from mean and covariance, as blavaan does; chains start with positive loadings

# Continuous items only: the likelihood from sufficient statistics.
source("benchmarks/job.R")
source("benchmarks/stan.R")
run_stan("gaussian_marginal.stan", marginal = TRUE)
