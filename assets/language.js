// Says in which language the page is, for screen readers and hyphenation: Streamlit
// says "en" whatever it is.

export default function ({ data }) {
  document.documentElement.lang = data.language;
}
