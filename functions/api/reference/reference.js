// Starts Swagger UI, and mends what keeps people with a screen reader or a keyboard from using it.

const main = document.querySelector('main');

/** Swagger UI has a dark look, but switches it on only by a button of a bar that is not shown here. */
function followSystemLook() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const set = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', set);
  set();
}

/** Names what has no name, and lets the keyboard reach what scrolls. */
function mend() {
  const each = (selector, change) => main.querySelectorAll(selector).forEach(change);
  each('tr[data-param-name] :is(select, input):not([aria-label])', (field) => { field.ariaLabel = field.closest('tr').dataset.paramName; });
  each('.opblock-section-request-body :is(select, textarea):not([aria-label])', (field) => { field.ariaLabel = 'Request body'; });
  each('table[role=region]:not([aria-label])', (table) => { table.ariaLabel = `Responses of ${table.closest('.opblock').id.split('-').at(-1)}`; });
  each('.modal-ux h3:not([aria-level])', (heading) => { heading.ariaLevel = '2'; });
  each('.modal-ux h4:not([aria-level])', (heading) => { heading.ariaLevel = '3'; });
  each('.modal-ux button[type=submit]', (button) => { button.removeAttribute('aria-label'); });
  each('.close-modal:not([aria-label])', (button) => { button.ariaLabel = 'Close'; });
  each('.copy-to-clipboard > button:not([aria-label])', (button) => { button.ariaLabel = 'Copy'; });
  each('pre:not([tabindex])', (example) => { example.tabIndex = 0; });
}

/** Headings without a gap in their levels; no link inside a button; no list of servers, because there is only this one. */
function accessible({ React: { createElement, Fragment } }) {
  return {
    components: {
      DeepLink: ({ text }) => createElement('span', null, text),
      ServersContainer: () => null,
    },
    wrapComponents: {
      operations: (Operations) => (properties) =>
        createElement(Fragment, null, createElement('h2', null, 'Operations'), createElement(Operations, properties)),
    },
  };
}

followSystemLook();
new MutationObserver(mend).observe(main, { childList: true, subtree: true });
SwaggerUIBundle({
  url: '/openapi.json',
  domNode: main,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  layout: 'BaseLayout',
  plugins: [accessible],
  presets: [SwaggerUIBundle.presets.apis],
  syntaxHighlight: { theme: 'monokai' },
});
