import js from "@eslint/js";
import globals from "globals";

const workers = ["pwa/worker/**/*.js"];

/** What a browser may never answer, unless it is inside `within(…)`, or has a `signal` where it is a fetch. */
const inside = ":not(CallExpression[callee.name='within'] *)";
const endless = [
  [`CallExpression[callee.name='fetch']:not(:has(Property[key.name='signal']))${inside}`, "fetch"],
  [`MemberExpression[property.name='ready'][object.property.name='serviceWorker']${inside}`, "serviceWorker.ready"],
  [`AwaitExpression > CallExpression[callee.object.name=/^(caches|indexedDB)$/]${inside}`, "caches and indexedDB"],
  [`AwaitExpression > CallExpression[callee.object.property.name='locks']${inside}`, "locks"],
  [`AwaitExpression CallExpression[callee.property.name=/^(getRegistrations?|register)$/]${inside}`, "a registration"],
  // what is done quietly is given up in time
  [`AwaitExpression > CallExpression[callee.object.name='cache']${inside}:not(CallExpression[callee.property.name='quietly'] *)`, "a cache"],
  [`CallExpression[callee.property.name='idle'][arguments.length=0]`, "Python"],
].map(([selector, what]) => ({
  selector,
  message: `No wait without an end: ${what} may never answer. Use within() of pwa/limits.js, or a signal.`,
}));

export default [
  { ignores: ["**/node_modules/", ".venv/", ".data/", "dist/"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      complexity: ["error", 12],
      eqeqeq: "error",
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-shadow": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      "require-await": "error",
    },
  },
  { files: ["pwa/**/*.js", "bench/peers/*.js"], languageOptions: { globals: globals.browser } },
  {
    files: ["pwa/**/*.js"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "fetch", message: "Ask by office.js, which says whose answer it is." },
      ],
    },
  },
  {
    files: ["pwa/**/*.js"],
    // files and pages on their way: there a limit is for silence, not for slowness
    ignores: ["pwa/sw.js", "pwa/worker/boot.js", "pwa/shell/page/transport.js"],
    rules: { "no-restricted-syntax": ["error", ...endless] },
  },
  { files: workers, languageOptions: { globals: globals.worker } },
  { files: ["pwa/sw.js"], languageOptions: { globals: globals.serviceworker } },
  {
    files: ["**/*.mjs", "eslint.config.js"],
    languageOptions: { globals: globals.node },
  },
];
