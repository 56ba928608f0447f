import js from "@eslint/js";
import globals from "globals";

const workers = ["pwa/worker/**/*.js"];

export default [
  { ignores: ["node_modules/", ".venv/", ".data/", "dist/"] },
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
  { files: ["pwa/**/*.js"], languageOptions: { globals: globals.browser } },
  {
    files: ["pwa/**/*.js"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "fetch", message: "Ask by office.js, which says whose answer it is." },
      ],
    },
  },
  { files: workers, languageOptions: { globals: globals.worker } },
  { files: ["pwa/sw.js"], languageOptions: { globals: globals.serviceworker } },
  {
    files: ["**/*.mjs", "eslint.config.js"],
    languageOptions: { globals: globals.node },
  },
];
