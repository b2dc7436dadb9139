// SPDX-License-Identifier: Apache-2.0
/** Whether the server takes it as the name of a world, a connection, an endpoint or a route. */
export const isName = (text: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(text);
