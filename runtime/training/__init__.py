"""Training: one loop, and the state that it works on below it.

    prepare       `dlc train` from the spec to the run       options   what the caller chooses
    prepared      a run that can begin: all it is made from; its records; why it diverged
    loop          THE LOOP: fit, run_phase, rounds, backward, clip
    state         job and state; position, losses, averages are parts of it
    validation    figures of `val`, which weights are kept   evaluate  losses and metrics of a split (`metrics` over
                                                             `class_metrics`, `score_metrics`, `value_metrics`)
    accumulator   what a metric gathers                      baselines what a forecast must be better than
    reporter      events, metrics.csv                        events    what is reported; `logged`, `image_grid`: what `log` names
    resume        save and restore, bitwise                  finish    kept weights, final figures, result.json
    mixing        `mixup`                                    scaling  gradients in f16
    optimizers    over the groups of the recipe (`fused`)    freezing  which parameters get gradients
    interrupts, memory, diverged                             how a run ends early, and the message of each
    device, precision, recomputing, limits                   what the machine does, and what is not supported yet
    reopen        a trained run with its kept weights        edited    generated files that someone changed

`prepare > prepared > loop > (resume, finish, reporter) > validation > state`: an import runs only to the right.
"""
