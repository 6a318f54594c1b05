"use strict";
/* A tab that was on the page before has its token, unless the server is another one. */
(() => {
  const token = sessionStorage.getItem("sbc-token");
  if (!token) return;
  if (location.search) sessionStorage.removeItem("sbc-token");
  else location.replace(`/?token=${encodeURIComponent(token)}`);
})();
