// The rules of the model that a runtime is most likely to get wrong. A test breaks them one by one, to show that a
// comparison with the model notices.

export const RULES = {
  windowEdgeCounts: true,
  oneMoreThanAllowedIsTheEnd: true,
  failedStartsCount: true,
  backoffIsFree: true,
  backoffForgetsAfterHealth: true,
  crashesOfOneMomentAllCount: true,
  stopsInReverse: true,
  restForOneSparesEarlier: true,
  transientStaysDownAfterShutdown: true,
  temporaryIsNotRestarted: true,
  temporaryBystanderIsForgotten: true,
  calmPoolChildIsForgotten: true,
  restingSiblingsComeBackWithTheGroup: true,
  newSupervisorHasNewBudget: true,
  operatorsRestartIsFree: true,
  fixedNamesCountOn: true,
  lastSignificantEndsTheSupervisor: true,
  stoppedSignificantDoesNotCount: true,
}
export type Rules = typeof RULES
