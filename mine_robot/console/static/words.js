// What the page says of the robot and of its commands. Nothing in it remembers: it follows from the arguments.

const REFUSAL_S = 8;

/** The state a refusal belongs to; once it is another one, the refusal is of no interest. */
export const situation = (mission) => (mission ? `${mission.state}: ${mission.reason}` : "");

/** { line, alarm, answer }: the line below the stop, whether it is an alarm, and the refusal of the last command.
 *
 * `mission` is the newest entry of the mission, `heard` whether it is of now; `stop` is { pending, seconds, message }; `nothing` is why
 * nothing can be stopped from here, or empty; `refusal` is { text, situation, age } of the last command that was refused, or null.
 */
export function spoken({ mission, heard, stop, nothing, refusal }) {
  const fresh = refusal && refusal.situation === situation(mission) && refusal.age < REFUSAL_S;
  const answer = fresh ? refusal.text : "";
  if (stop.pending) return { line: `E-STOP NOT CONFIRMED, still trying (${stop.seconds.toFixed(0)} s; ${stop.message}). Use the button on the robot!`, alarm: true, answer };
  if (nothing || !mission) return { line: nothing, alarm: false, answer };
  return { line: heard ? mission.words : `Last heard: ${mission.words}`, alarm: false, answer };
}
