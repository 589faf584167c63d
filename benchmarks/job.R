# The contestant's end of a run, in R: job.py says what is asked and how answers are handed back.

suppressPackageStartupMessages(library(jsonlite))

folder <- commandArgs(trailingOnly = TRUE)[1]
job <- fromJSON(file.path(folder, "job.json"))
problem <- fromJSON(file.path(job$data, "problem.json"), simplifyMatrix = FALSE)
items <- problem$items
factor_names <- vapply(problem$factors, function(f) f[[1]], "")
needs <- function(package) {
  if (!requireNamespace(package, quietly = TRUE)) stop("R package ", package, " is not installed")
}
read_answers <- function(scaled = FALSE) {
  read.csv(file.path(job$data, if (scaled) "scaled.csv" else "answers.csv"), check.names = FALSE)
}
now <- function() as.numeric(Sys.time())

hand_back <- function(ready, packages, held) {
  versions <- lapply(packages, function(p) as.character(packageVersion(p)))
  names(versions) <- packages
  held$ready <- ready
  held$versions <- c(list(R = as.character(getRversion())), versions)
  write(toJSON(held, auto_unbox = TRUE, digits = 15), file.path(folder, "answer.json"))
}

# draws: array (draw, chain, quantity) whose third dimension is named.
posterior <- function(draws, ready, seconds, divergences, steps, packages, more = list()) {
  file <- file(file.path(folder, "draws.bin"), "wb")
  # R stores the first index fastest: as it stands this is (quantity, chain, draw) in C order.
  writeBin(as.double(draws), file)
  close(file)
  held <- list(
    seconds = seconds, divergences = divergences, steps = steps,
    names = dimnames(draws)[[3]], shape = rev(dim(draws))
  )
  hand_back(ready, packages, c(held, more))
}

# found: named numeric vector.
estimates <- function(found, ready, seconds, packages, more = list()) {
  found <- found[is.finite(found)]
  hand_back(ready, packages, c(list(seconds = seconds, estimates = if (length(found)) as.list(found) else setNames(list(), character(0))), more))
}
