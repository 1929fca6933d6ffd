// Remembers until the browser is closed that the notice was agreed to. Nothing else is
// kept, and no other site is told.

export default function ({ data }) {
  document.cookie = `${data.cookie}=yes; path=/; SameSite=Strict`;
}
