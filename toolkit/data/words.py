"""What a photograph can show, by factor: the words the description bank is made of. "|" parts entries."""

from __future__ import annotations


def _entries(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in " ".join(text.split()).split("|"))


WORDS: dict[str, tuple[str, ...]] = {
    "colour": _entries("""
        red | crimson | scarlet | maroon | orange | amber | peach | yellow | golden | mustard | green | olive |
        emerald | turquoise | teal | blue | navy | indigo | purple | violet | lavender | pink | magenta | brown
        | beige | tan | white | ivory | grey | black | silver | copper"""),
    "texture": _entries("""
        striped | spotted | checkered | dotted | woven | braided | knitted | quilted | wrinkled | crumpled |
        cracked | rusty | rough | bumpy | smooth | glossy | matte | furry | fluffy | hairy | scaly | feathery |
        velvety | grainy | marbled | frosted | perforated | pleated | wavy | spiky | mossy | dusty | sticky |
        wet | translucent | mirrored"""),
    "material": _entries("""
        wood | marble | granite | concrete | brick | clay | porcelain | glass | steel | iron | bronze |
        aluminium | gold | leather | silk | cotton | wool | denim | linen | paper | cardboard | plastic | rubber
        | wax | ice | bamboo | straw | bone | pearl | crystal | sandstone | foil"""),
    "shape": _entries("""
        circle | square | triangle | rectangle | oval | hexagon | pentagon | octagon | diamond | star | crescent
        | heart | cross | arrow | spiral | ring | cube | sphere | cylinder | cone | pyramid | arch | dome |
        zigzag | grid | curve | knot | wedge"""),
    "animal": _entries("""
        dog | puppy | wolf | fox | cat | kitten | lion | tiger | leopard | cheetah | bear | panda | horse | foal
        | zebra | donkey | cow | calf | bison | sheep | lamb | goat | pig | boar | deer | moose | elk | antelope
        | giraffe | elephant | rhinoceros | hippopotamus | camel | llama | kangaroo | koala | monkey | gorilla |
        chimpanzee | lemur | sloth | rabbit | hare | squirrel | chipmunk | beaver | hedgehog | mouse | rat |
        hamster | bat | otter | badger | skunk | raccoon | weasel | seal | walrus | dolphin | whale | shark |
        salmon | trout | goldfish | eel | octopus | squid | jellyfish | crab | lobster | shrimp | starfish |
        snail | frog | toad | newt | turtle | tortoise | lizard | iguana | chameleon | gecko | snake | cobra |
        crocodile | alligator | butterfly | moth | bee | wasp | ant | beetle | ladybird | dragonfly |
        grasshopper | spider | scorpion | centipede"""),
    "bird": _entries("""
        sparrow | robin | finch | wren | blackbird | crow | raven | magpie | pigeon | dove | gull | tern |
        albatross | pelican | cormorant | heron | stork | crane | flamingo | swan | goose | duck | mallard |
        loon | puffin | penguin | eagle | hawk | falcon | vulture | owl | parrot | cockatoo | toucan |
        kingfisher | woodpecker | hummingbird | swallow | peacock | pheasant | turkey | ostrich | hen | rooster"""),
    "plant": _entries("""
        rose | tulip | daisy | sunflower | lily | orchid | iris | poppy | dandelion | daffodil | lotus | peony |
        hydrangea | geranium | thistle | clover | ivy | fern | moss | grass | reed | cactus | aloe | oak | maple
        | birch | pine | fir | cedar | willow | palm | cypress | eucalyptus | sequoia | bonsai | hedge | vine |
        shrub | sapling | acorn | pinecone | mushroom | lichen | seaweed | wheat | barley | maize | cornflower"""),
    "food": _entries("""
        bread | bagel | croissant | pretzel | pancake | waffle | cake | cupcake | pie | cookie | doughnut |
        muffin | chocolate | candy | honey | jam | butter | cheese | yoghurt | milk | coffee | tea | juice |
        wine | beer | soup | salad | sandwich | burger | pizza | pasta | noodle | rice | sushi | dumpling | taco
        | curry | stew | steak | sausage | bacon | ham | omelette | egg | potato | tomato | carrot | onion |
        garlic | pepper | cucumber | lettuce | cabbage | broccoli | cauliflower | spinach | pumpkin | aubergine
        | bean | pea | lentil | corn | apple | pear | banana | grape | cherry | strawberry | raspberry |
        blueberry | plum | apricot | mango | papaya | pineapple | coconut | melon | watermelon | lemon | lime |
        kiwi | fig | olive oil | walnut | almond | peanut | popcorn"""),
    "vehicle": _entries("""
        car | taxi | limousine | van | bus | minibus | lorry | tractor | bulldozer | excavator | ambulance |
        motorcycle | scooter | bicycle | tricycle | skateboard | pram | wheelchair | wagon | carriage | sleigh |
        train | locomotive | tram | ferry | yacht | sailing boat | rowing boat | canoe | kayak | raft | barge |
        submarine | tanker | aeroplane | glider | helicopter | balloon | airship | rocket | parachute | drone |
        snowmobile | hovercraft"""),
    "clothing": _entries("""
        shirt | blouse | jumper | cardigan | hoodie | waistcoat | jacket | coat | raincoat | overcoat | cape |
        dress | gown | skirt | kilt | trousers | jeans | shorts | leggings | pyjamas | swimsuit | apron |
        uniform | tuxedo | kimono | sari | tunic | toga | sock | stocking | shoe | boot | sandal | slipper |
        trainer | glove | mitten | scarf | shawl | tie | bow tie | belt | hat | cap | beret | turban | helmet |
        crown | veil | mask | goggles | spectacles | necklace | bracelet | earring | brooch | wristwatch |
        backpack | handbag"""),
    "occupation": _entries("""
        doctor | nurse | surgeon | dentist | pharmacist | vet | teacher | professor | librarian | scientist |
        chemist | astronomer | engineer | architect | builder | carpenter | bricklayer | plumber | electrician |
        welder | mechanic | blacksmith | potter | weaver | tailor | cobbler | jeweller | watchmaker | baker |
        butcher | chef | waiter | bartender | barista | farmer | gardener | florist | shepherd | beekeeper |
        fisherman | hunter | forester | miner | sailor | diver | pilot | astronaut | driver | conductor |
        postman | courier | firefighter | policeman | soldier | guard | judge | lawyer | clerk | cashier |
        secretary | journalist | photographer | painter | sculptor | writer | musician | violinist | pianist |
        drummer | singer | dancer | ballerina | actor | clown | magician | acrobat | juggler | athlete | boxer |
        jockey | swimmer | referee | priest | monk | nun | tourist | barber | cleaner"""),
    "emotion": _entries("""
        happy | joyful | cheerful | amused | excited | proud | hopeful | calm | peaceful | relaxed | sleepy |
        tired | bored | sad | lonely | gloomy | worried | anxious | nervous | scared | terrified | surprised |
        astonished | confused | curious | thoughtful | serious | stern | angry | furious | annoyed | disgusted |
        jealous | shy | embarrassed | guilty | grateful | tender | mischievous | determined"""),
    "person": _entries("""
        baby | toddler | child | boy | girl | teenager | man | woman | grandfather | grandmother | couple |
        twins | family | bride | groom | crowd | team | queue | audience | orchestra"""),
    "body": _entries("""
        face | eye | ear | nose | mouth | lip | tooth | tongue | chin | cheek | forehead | beard | moustache |
        eyebrow | hair | neck | shoulder | arm | elbow | wrist | hand | finger | thumb | fist | knee | ankle |
        foot | toe | back | skeleton | skull | tail | wing | paw | hoof | horn | antler | beak | claw | fin"""),
    "action": _entries("""
        running | walking | jumping | climbing | crawling | swimming | diving | floating | rowing | surfing |
        skating | skiing | cycling | riding | driving | flying | falling | dancing | singing | clapping | waving
        | pointing | hugging | kissing | shaking hands | laughing | crying | yawning | sleeping | sitting |
        kneeling | lying down | stretching | eating | drinking | cooking | baking | washing | ironing | sweeping
        | painting a wall | drawing | writing | reading | typing | telephoning | sewing | digging | planting |
        harvesting | fishing | throwing | catching | kicking | carrying | pushing | pulling | lifting | queueing
        | shopping | praying | marching | fighting"""),
    "sport": _entries("""
        football | rugby | basketball | volleyball | handball | tennis | badminton | squash | table tennis |
        golf | hockey | cricket | baseball | bowling | billiards | darts | archery | fencing | wrestling | judo
        | gymnastics | athletics | hurdling | pole vault | sailing | polo | chess | sledging | snowboarding |
        curling"""),
    "music": _entries("""
        piano | organ | accordion | guitar | banjo | ukulele | violin | cello | double bass | harp | flute |
        clarinet | oboe | saxophone | trumpet | trombone | tuba | drum | tambourine | xylophone | bell |
        microphone | loudspeaker | gramophone | headphones"""),
    "household": _entries("""
        chair | armchair | sofa | stool | bench | table | desk | shelf | bookcase | cupboard | wardrobe | bed |
        pillow | blanket | curtain | carpet | lamp | lantern | candle | chandelier | mirror | clock | vase |
        picture frame | plate | bowl | cup | mug | teapot | kettle | saucepan | frying pan | oven | toaster |
        refrigerator | dishwasher | sink | tap | bathtub | shower | toilet | towel | soap | toothbrush | comb |
        hairdryer | razor | broom | bucket | vacuum | iron board | basket | bottle | jar | can | box | suitcase
        | umbrella | key | padlock | door handle | window | ladder | fireplace | radiator | cushion | dustbin"""),
    "tool": _entries("""
        hammer | screwdriver | spanner | pliers | saw | drill | axe | chisel | nail | screw | rope | chain |
        hook | wheel | gear | pulley | lever | shovel | rake | hoe | scythe | wheelbarrow | hose | anvil |
        needle | thread | scissors | knife | fork | spoon | whisk | pencil | pen | brush | ruler | compass |
        magnet | battery | torch | magnifying glass | microscope | telescope | thermometer | stethoscope |
        syringe | scales | camera | tripod"""),
    "device": _entries("""
        computer | laptop | keyboard | monitor | tablet | telephone | smartphone | television | radio | printer
        | projector | calculator | robot | circuit board | cable | plug | antenna | satellite dish | solar panel
        | wind turbine | traffic light | street lamp | parking meter | cash register | vending machine |
        typewriter"""),
    "toy": _entries("""
        doll | teddy bear | kite | spinning top | marble run | building block | jigsaw | playing card | dice |
        domino | rocking horse | puppet | toy soldier | model railway | swing | slide | seesaw | trampoline |
        sandcastle | snowman | yo-yo | bubble | beach ball | frisbee"""),
    "building": _entries("""
        house | cottage | cabin | hut | tent | igloo | palace | castle | fortress | tower | skyscraper |
        apartment block | barn | stable | greenhouse | windmill | watermill | lighthouse | church | cathedral |
        chapel | mosque | temple | pagoda | synagogue | monastery | school | hospital | museum | theatre |
        stadium | factory | warehouse | power station | bridge | viaduct | tunnel | dam | pier | gate | wall |
        fence | staircase | balcony | chimney | fountain | statue | monument | ruin | observatory"""),
    "scene": _entries("""
        kitchen | bedroom | bathroom | living room | dining room | cellar | attic | corridor | lift | garage |
        office | classroom | laboratory | library | workshop | studio | courtroom | prison cell | ward | waiting
        room | lobby | restaurant | cafe | bar | bakery | butchery | supermarket | market | bookshop | florist
        shop | hairdresser | bank | post office | airport | railway station | bus stop | harbour | car park |
        petrol station | motorway | crossroads | alley | pavement | village | town square | suburb | playground
        | fairground | circus | zoo | aquarium | gymnasium | swimming pool | ice rink | concert hall | nightclub
        | cinema | construction site | quarry | scrapyard | cemetery | garden | park | orchard | vineyard | rice
        field | meadow | pasture | ploughed field | farmyard"""),
    "nature": _entries("""
        sea | ocean | lake | pond | river | stream | waterfall | rapids | marsh | swamp | glacier | iceberg |
        beach | coast | cliff | cave | island | reef | lagoon | dune | desert | oasis | savanna | steppe |
        tundra | forest | jungle | rainforest | woodland | bamboo grove | valley | canyon | hill | mountain |
        volcano | geyser | rock | pebble | sky | cloud | moon | planet | galaxy | comet | horizon"""),
    "weather": _entries("""
        sunshine | rain | drizzle | downpour | thunderstorm | lightning | hail | snow | blizzard | sleet | frost
        | fog | mist | haze | wind | gale | tornado | hurricane | sandstorm | rainbow | drought | flood | heat |
        overcast sky"""),
    "light": _entries("""
        sunrise | morning light | noon | afternoon light | sunset | dusk | twilight | night | moonlight |
        starlight | candlelight | firelight | neon light | lamplight | spotlight | backlight | shade |
        silhouette | lens flare | fluorescent light | darkness | glare"""),
    "season": _entries("""
        spring | summer | autumn | winter | christmas | easter | halloween | new year | carnival | harvest |
        birthday | wedding | funeral | graduation | picnic | parade | festival | concert | banquet | ceremony |
        protest | election"""),
    "style": _entries("""
        watercolour | oil painting | fresco | mosaic | charcoal drawing | pencil sketch | ink drawing | woodcut
        | etching | engraving | lithograph | poster | cartoon | comic strip | caricature | graffiti | collage |
        stencil | origami | embroidery | tapestry | stained glass | sculpture | relief | pottery | mural | icon
        | blueprint | diagram | map | chart | screenshot | pixel art | rendering | hologram | tattoo | stamp |
        postcard | photograph | polaroid | x-ray image | satellite image | thermal image | film negative |
        magazine cover"""),
    "camera": _entries("""
        close-up | macro shot | wide shot | panorama | aerial view | bird's-eye view | worm's-eye view | side
        view | rear view | portrait | profile | group shot | still life | long exposure | double exposure |
        motion blur | blurred background | tilted horizon | cropped picture | fisheye shot | reflection |
        vignette | symmetry | empty frame | low resolution picture | overexposed picture | underexposed picture"""),
    "country": _entries("""
        Argentina | Australia | Austria | Bangladesh | Belgium | Bolivia | Brazil | Bulgaria | Cambodia | Canada
        | Chile | China | Colombia | Croatia | Cuba | Denmark | Ecuador | Egypt | Estonia | Ethiopia | Finland |
        France | Germany | Ghana | Greece | Hungary | Iceland | India | Indonesia | Iran | Ireland | Israel |
        Italy | Jamaica | Japan | Jordan | Kenya | Laos | Latvia | Lebanon | Madagascar | Malaysia | Mexico |
        Mongolia | Morocco | Nepal | the Netherlands | New Zealand | Nigeria | Norway | Pakistan | Peru | the
        Philippines | Poland | Portugal | Romania | Russia | Scotland | Senegal | Singapore | Slovenia | South
        Africa | South Korea | Spain | Sweden | Switzerland | Tanzania | Thailand | Turkey | Ukraine | Uruguay |
        Vietnam | Wales | Zimbabwe"""),
    "city": _entries("""
        Amsterdam | Athens | Bangkok | Barcelona | Beijing | Berlin | Boston | Buenos Aires | Cairo | Chicago |
        Dubai | Dublin | Edinburgh | Florence | Hong Kong | Istanbul | Jerusalem | Kyoto | Lisbon | London | Los
        Angeles | Madrid | Marrakesh | Melbourne | Moscow | Mumbai | Nairobi | New York | Oslo | Paris | Prague
        | Rio de Janeiro | Rome | San Francisco | Seoul | Shanghai | Stockholm | Sydney | Tokyo | Toronto |
        Venice | Vienna | Warsaw"""),
    "letter": _entries("""
        A | B | C | D | E | F | G | H | I | J | K | L | M | N | O | P | Q | R | S | T | U | V | W | X | Y | Z"""),
    "number": _entries("""
        two | three | four | five | six | seven | eight | nine | ten | eleven | twelve | twenty | fifty | one
        hundred"""),
    "writing": _entries("""
        headline | signpost | billboard | number plate | price tag | menu | newspaper | notebook | blackboard |
        calendar | ticket | passport | banknote | coin | receipt | barcode | flag | logo | banner | road sign |
        book cover | manuscript | speech bubble | subtitle | crossword"""),
    "quality": _entries("""
        tiny | huge | tall | long | narrow | round | flat | sharp | broken | empty | full | open | closed | old
        | modern | antique | clean | dirty | expensive | cheap | beautiful | ugly | strange | dangerous | cosy |
        crowded | abandoned | elegant | rustic | minimalist | colourful | dark | bright | transparent | folded |
        hanging | burning | melting | frozen | flying"""),
}  # fmt: skip
"""Factor → entries: nouns in the singular, adjectives, or names, as `FRAMES` of the factor expects them."""
