// What every driver in JavaScript asks, and how it says what came of it: see _cells.py.

export const URL = process.env.FUSION_URL;
export const KEY = "unused";
export const IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const STREAM = "BT /F1 12 Tf 20 100 Td (Water is very wet.) Tj ET";
export const PDF = Buffer.from(
  "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R" +
    "/Resources<</Font<</F1 5 0 R>>>>>>endobj\n" +
    `4 0 obj<</Length ${STREAM.length}>>stream\n${STREAM}\nendstream endobj\n` +
    "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
).toString("base64");
export const WEATHER = "MARK-sunny";
export const DESCRIPTION = "Tell the weather of a city.";
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
export const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

export const question = (cell) => `How wet is water? (${process.env.FUSION_MARK}-${cell})`;

/** Wait until the panel is at work on the cell `cancel`. */
export const waitCalled = async () => (await fetch(process.env.FUSION_CALLED)).text();

export async function run(cells) {
  for (const name of process.argv.slice(2)) {
    let told;
    if (!(name in cells)) told = { unknown: true };
    else {
      try {
        told = await cells[name]();
      } catch (error) {
        const status = error.status ?? error.statusCode ?? error.cause?.statusCode;
        told = { error: error.name, words: String(error.message).slice(0, 2000), status };
      }
    }
    console.log(JSON.stringify({ cell: name, ...told }));
  }
}
