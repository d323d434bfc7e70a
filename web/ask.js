// Asks an operator to confirm an action and to give its reason.

import { byId } from './dom.js';

/** Resolves with the reason, or with `null` if the operator decides otherwise. */
export function askReason({ title, text, action }) {
  const dialog = byId('ask');
  byId('ask-title').textContent = title;
  byId('ask-text').textContent = text;
  byId('ask-go').textContent = action;
  byId('ask-reason').value = '';
  byId('ask-problem').textContent = '';
  dialog.showModal();
  return new Promise((resolve) => {
    let reason = null;
    const confirm = (event) => {
      event.preventDefault();
      const entered = byId('ask-reason').value.trim();
      if (entered === '') {
        byId('ask-problem').textContent = 'Enter a reason: it is what others see later.';
        return;
      }
      reason = entered;
      dialog.close();
    };
    const form = dialog.querySelector('form');
    form.addEventListener('submit', confirm);
    byId('ask-stop').onclick = () => dialog.close();
    dialog.addEventListener('close', () => { form.removeEventListener('submit', confirm); resolve(reason); }, { once: true });
  });
}
