// SPDX-License-Identifier: Apache-2.0
// The tour through the page.
export const tour = {
  take: "Take the tour",
  offer: "New here? Six steps show what this can do.",
  step: (n: number, of: number) => `Tour, step ${n} of ${of}`,
  skip: "Leave the tour",
  previous: "Back",
  next: "Next",
  finish: "Done",
  done: "Done. Go on.",
  see: {
    title: "One screen, three tenses",
    text: (twins: string) =>
      `This is your operation as it is now: ${twins} things and their links. Teal is live, amber is the past, ` +
      "violet is a what-if. The word here always says which one you see.",
  },
  wrong: {
    title: "What is wrong comes first",
    text: (twin: string, what: string, phone: boolean) =>
      `${twin} says: ${what}. ` +
      (phone ? "Tap it, and its values open below." : "Click it, and its values open on the right."),
    fine: "Nothing needs you at the moment. What fails is named here, and a click opens it.",
    show: (twin: string) => `Show ${twin}`,
    any: "Open any twin",
  },
  back: {
    title: "Go back to when it began",
    text: "Drag the timeline to any instant: every view shows the world as it was then. L comes back to live.",
    touch: "Drag the timeline to any instant: every view shows the world as it was then. Back to live is above.",
    began: "Go to when it began",
    minutes: "Go back 10 minutes",
  },
  fork: {
    title: "Fork the world here",
    text: "A fork is a copy from this instant on, yours to change. Nothing you do there touches live.",
    act: "Fork here",
    backAct: "Back to the past first",
  },
  try: {
    title: "Try it and compare",
    text: "Each way runs in copies of this instant. Then one sentence says which is cheaper, and how sure that is.",
    act: "Try it",
  },
  decide: {
    title: "Let people decide",
    text: "Rules try such ways by themselves. Their proposals wait here; nothing is sent without a yes.",
    act: "See the decisions",
  },
};
