/** The examples of docs/guide.md, with what they need around them. */

import { isError, ProductsHttp, ProductsSocket } from "./client.ts";
import { lines, url, write } from "./lines.ts";

const show = (...what: unknown[]): void => write(JSON.stringify(what));
const reload = (): void => show("reload");
const token = "ada";

const http = new ProductsHttp({ url, token, timeout: 10_000 });
const cups = await http.find({ shop: "main", words: ["cup"] });
show(cups[0]?.price);
try {
  await http.setPrice({ id: "plate", price: 6 }, { timeout: 2_000 });
} catch (error) {
  if (isError(error, "not_found")) show(error.message);
  else throw error;
}
for await (const price of http.prices({ id: "cup" })) show(price);

const socket = new ProductsSocket({ url, token });
const auction = socket.auctionRoom({ auction: 7 });
auction.on("bid", (bid) => show(bid.cents));
auction.onPresence(() => show(auction.members.size));
auction.onRecovered((recovered) => recovered === "full" || reload());
await auction.join();
show(await socket.find({ shop: "main", limit: 1 }));

for await (const line of lines()) show(line);
socket.close();
